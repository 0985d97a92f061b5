# `make help` lists the targets. On Debian and Ubuntu each of them installs what it needs, first the system packages (as
# root or through sudo), then Python packages into .venv; the second time there is nothing to do.

IFACE ?=
# What `make faults` is to make (faults, healthy, or some by their ids), and the releases of `make deb-trial`; all of it
# where it is empty.
ONLY ?=
# How long `make fuzz` tries inputs (5), and how long `make soak` runs (30).
MINUTES ?=
# Arguments of pytest for `make test`, such as tests/cli or "-k kill -x".
ARGS ?=
# Where `make install` puts the command. The program is in /opt/bpftop, with another PREFIX in PREFIX/lib/bpftop.
# DESTDIR is put before both, to stage a package.
PREFIX ?= /usr/local
DESTDIR ?=
# "mine": the system packages are yours to install (systems without apt-get).
SYSTEM_PACKAGES ?= apt

bin := .venv/bin
pip := $(bin)/python -m pip --disable-pip-version-check --quiet --quiet
# Behind sudo no byte code is written, or root's files would lie in a checkout that is not root's. sudo keeps TERM, but
# not the variable that says the terminal has all colours. Without sudo, bpftop shows what it may.
sudo := $(if $(shell command -v sudo || :),sudo env PYTHONDONTWRITEBYTECODE=1 COLORTERM=$(COLORTERM))
as_root := $(if $(filter-out 0,$(shell id -u)),$(sudo))

build_requires := $(shell sed -n '/^requires = /s/[^"]*\("[^"]*"\)[^"]*/ \1/gp' pyproject.toml)
# The folder of the BPF programs is an input too: it gets a new time when one of them is removed.
build_inputs := pyproject.toml bpftop/__init__.py bpftop/kernel/build.py bpf_objects \
	$(wildcard bpftop/kernel/*.h bpftop/kernel/*/*.[ch] bpf_objects/*.[ch] bpf_objects/*.txt)

# Run a command whose standard output is the reason of its failure, and end make with that one line. (make runs $(shell)
# under -n too, hence the guard.)
dry_run := $(findstring n,$(firstword -$(MAKEFLAGS)))
must = $(if $(dry_run),,$(eval said := $(shell $1))$(if $(filter-out 0,$(.SHELLSTATUS)),$(error $(said))))

.PHONY: help run test lint bench faults fuzz soak wheel install uninstall deb deb-trial clean build/wheel \
	system-run system-test system-fuzz system-trial
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@echo 'make run [IFACE="eth0 eth1"]  the live screen; without IFACE the interface of the default route, or the demo'
	@echo 'make test [ARGS=tests/cli]    lint, type check and all tests; ARGS goes to pytest: a folder, "-k kill -x"'
	@echo 'make lint                    ruff, mypy, the import contracts and the C sources alone'
	@echo 'make bench                   what watching costs, measured here against the limits'
	@echo 'make faults [ONLY=faults]    real faults and healthy traffic in namespaces, and what is found how soon; 70 minutes'
	@echo 'make fuzz [MINUTES=5]        mutated files, sample lines and kernel text for every parser; libFuzzer for the C'
	@echo 'make soak [MINUTES=30]       the memory of bpftop at ten ticks a second, and whether it grows'
	@echo 'make wheel                   dist/*.whl, which needs no system library'
	@echo 'make install [PREFIX=~/.local] /opt/bpftop with the command in /usr/local/bin, or all of it in PREFIX; make uninstall'
	@echo 'make deb                     dist/*.deb for this release of Debian or Ubuntu; DEBEMAIL=you@your.domain'
	@echo 'make deb-trial [ONLY=trixie]  the package in roots of Debian 12, 13 and Ubuntu 24.04: lintian, installed, used, purged'
	@echo 'make clean                   remove what was built, .venv included'

# The machine has a default route if /proc lists one that leaves it: IPv4 with destination and mask 0, IPv6 ::/0 but not
# through lo.
run: .venv/run
	@target="$(IFACE)"; \
	if [ -z "$$target" ] && ! awk '$$2 $$8 == "0000000000000000" && $$1 != "*" { found = 1 } END { exit !found }' /proc/net/route && \
	   ! awk '$$1 $$2 ~ /^0+$$/ && $$10 != "lo" { found = 1 } END { exit !found }' /proc/net/ipv6_route 2>/dev/null; \
	then target=demo; fi; \
	$(if $(as_root),$(bin)/python -m compileall -q bpftop;) \
	exec $(as_root) $(bin)/bpftop $$target

test: lint
	@$(as_root) $(if $(as_root),BPFTOP_REQUIRE_BPF=$(BPFTOP_REQUIRE_BPF)) \
		$(bin)/python -m pytest $(if $(as_root),-p no:cacheprovider) -n 4 --dist loadscope $(ARGS)

lint: .venv/dev
	@$(bin)/ruff check
	@$(bin)/ruff format --check
	@MYPY_NUM_WORKERS=2 $(bin)/mypy bpftop contrib tests
	@$(bin)/lint-imports --no-logo
	@contrib/lint-c

bench: .venv/dev
	@$(as_root) $(bin)/python -m tests.bench

faults: .venv/dev
	@$(as_root) $(bin)/python -m tests.faults $(ONLY)

fuzz: .venv/dev | system-fuzz
	@$(bin)/python -m tests.fuzz $(or $(MINUTES),5)

soak: .venv/dev
	@$(as_root) $(bin)/python -m tests.soak $(or $(MINUTES),30)

wheel: .venv/dev
	@$(bin)/python contrib/build_wheel.py dist

# build/ of an earlier version would put modules that are gone into the wheel.
build/wheel: .venv/build-tools
	$(call must,$(bin)/python bpftop/kernel/build.py)
	@echo 'bpftop: building' >&2
	@rm -rf build
	@$(pip) wheel --no-build-isolation --no-deps --wheel-dir $@ .

install: build/wheel
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' contrib/install $</*.whl

deb: build/wheel
	@contrib/build-deb $</*.whl dist

deb-trial: .venv/dev | system-trial
	@$(as_root) $(bin)/python -m tests.roots $(ONLY)

uninstall:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' contrib/install --remove

clean:
	rm -rf .venv build dist *.egg-info bpftop/objects bpftop/kernel/*.so
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache snapshot_report.html
	find bpftop tests contrib -name __pycache__ -prune -exec rm -rf {} +

system-run system-test system-fuzz system-trial: system-%:
	$(if $(filter-out mine,$(SYSTEM_PACKAGES)),$(call must,contrib/system-packages $*))

# The stamps: the environment; what builds bpftop; bpftop in it, with what it needs to run; and with what its tests
# need, which includes the one before. The last two have the time at which the build began: what was edited meanwhile is
# built again. An environment whose Python is gone (an upgrade leaves a dangling link) is made anew.
ifeq ($(realpath $(bin)/python),)
.PHONY: .venv/made
endif
.venv/made: | system-run
	$(call must,contrib/make-venv .venv)
	@touch $@

.venv/build-tools: pyproject.toml .venv/made
	@$(pip) install $(build_requires)
	@touch $@

.venv/run: $(build_inputs) .venv/build-tools | system-run
	$(call must,$(bin)/python bpftop/kernel/build.py)
	@echo 'bpftop: building' >&2
	@touch .venv/begun
	@$(pip) install --no-build-isolation --editable .
	@mv .venv/begun $@

.venv/dev: $(build_inputs) .venv/build-tools | system-test
	$(call must,$(bin)/python bpftop/kernel/build.py)
	@echo 'bpftop: building, with the tools for its tests' >&2
	@touch .venv/begun
	@$(pip) install --no-build-isolation --editable '.[dev]'
	@cp -p .venv/begun .venv/run
	@mv .venv/begun $@
