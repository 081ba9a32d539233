// Reads the page again while it is looked at, and puts the parts that may have changed in place of the old ones. What is
// open stays open, and what has the focus stays as it is. Without this script, the page is as complete; reload it.
"use strict";

(() => {
  const main = document.getElementById("content");
  const said = document.getElementById("refreshed");
  let seconds = Number(main.dataset.refresh || 0);
  let failures = 0;
  let timer = 0;

  const time = () => new Date().toISOString().slice(11, 19) + " UTC";

  const tell = (words) => {
    if (said.textContent !== words) {
      said.textContent = words;
    }
  };

  const keepOpen = (old, fresh) => {
    for (const details of old.querySelectorAll("details[id][open]")) {
      const same = fresh.querySelector("#" + CSS.escape(details.id));
      if (same !== null) {
        same.open = true;
      }
    }
  };

  const replace = (page) => {
    const focused = document.activeElement;
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (fresh === null || fresh.innerHTML === old.innerHTML || (focused !== main && old.contains(focused))) {
        continue;
      }
      keepOpen(old, fresh);
      old.replaceWith(document.adoptNode(fresh));
    }
    if (find !== null && find.value !== find.defaultValue) {
      narrow();
    }
    document.title = page.title;
    const begun = page.getElementById("content");
    seconds = Number((begun && begun.dataset.refresh) || 0);
    if (seconds === 0) {
      // It has ended: what can only be done to a run at work goes, too.
      const cancel = document.getElementById("cancel");
      if (cancel !== null && page.getElementById("cancel") === null) {
        cancel.remove();
      }
    }
  };

  // Finding an index needs no reading: rows that don't match go, as they are typed.
  const find = document.getElementById("find");

  const narrow = () => {
    const wanted = find.value.trim().toLowerCase();
    for (const row of document.querySelectorAll(".indexes tbody tr")) {
      row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
    }
  };

  const read = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok || !(answer.headers.get("Content-Type") || "").startsWith("text/html")) {
      throw new Error(String(answer.status));
    }
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  };

  const refresh = async () => {
    if (document.hidden) {
      return;
    }
    try {
      await read();
      failures = 0;
      tell("");
    } catch {
      failures += 1;
      tell("This page could not be read again at " + time() + ": what it shows is older. It goes on trying.");
    }
    wait();
  };

  const wait = () => {
    clearTimeout(timer);
    if (seconds > 0) {
      timer = setTimeout(refresh, Math.min(seconds * 1000 * 2 ** Math.min(failures, 5), 120000));
    }
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && seconds > 0) {
      clearTimeout(timer);
      refresh();
    }
  });

  if (find !== null) {
    find.addEventListener("input", narrow);
  }
  wait();
})();
