# MicroPay's commands; `make help` lists them. Each sets up what it needs: packages once per list of packages
# (tools/setup.sh keeps a stamp below build/), then an incremental build.
BUILD ?= build
DATA ?= data
ARGS ?=
export BUILD
# ccache may use the precompiled header.
export CCACHE_SLOPPINESS = pch_defines,time_macros,include_file_mtime,include_file_ctime

.PHONY: run build build-all test soak soak-kills chaos check tidy format bench bench-cluster bench-compare flame fuzz sanitize \
  mixed mutants release-contracts clean help setup setup-test setup-fuzz setup-bench setup-cluster cluster
.DEFAULT_GOAL := help
.NOTPARALLEL:

run: build  ## set up, build and start it with demo data on 127.0.0.1:8080 (ARGS="--set …", DATA=folder)
	@exec $(BUILD)/micropay serve --demo --data $(DATA) $(ARGS)

build: $(BUILD)/build.ninja  ## build the binary, build/micropay
	@ninja -C $(BUILD) micropay

build-all: $(BUILD)/build.ninja  ## build the binary, the unit tests and the benchmarks
	@cmake --build $(BUILD)

test: setup-test build-all  ## set up, build everything and run every test and check
	@tools/test.py

soak: build  ## simulate fresh seeds with every invariant checked, SECONDS=600 long (SEED=first one)
	@$(BUILD)/micropay simulate --seed $(or $(SEED),$(shell date +%s)) --seeds 1000000000 --seconds $(or $(SECONDS),600)

soak-kills: setup-test build  ## kill the platform with -9 under load, KILLS=500 times (ARGS="--seed 7")
	@.venv/bin/python tests/reliability/kill_campaign.py --kills $(or $(KILLS),500) $(ARGS)

chaos: setup-test setup-cluster build  ## hurt a whole cluster under payments, SECONDS=300 long (SEED=7): instances, Kafka, PostgreSQL, Redis
	@.venv/bin/python tests/cluster/chaos.py --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: setup-test $(BUILD)/build.ninja  ## format, clang-tidy, include direction, sizes, determinism of services
	@ninja -C $(BUILD) contract_headers
	@tools/check.py

tidy: setup-test $(BUILD)/build.ninja  ## clang-tidy over every source, not only those that `make check` looks at
	@ninja -C $(BUILD) contract_headers
	@tools/check.py tidy --all

format: setup-test  ## rewrite the C++ sources as .clang-format says
	@tools/check.py format --fix

fuzz: setup-fuzz  ## libFuzzer on every parser of outside bytes, each for SECONDS=60 (TARGETS="json request" for some)
	@mkdir -p build-fuzz
	@cmake -S . -B build-fuzz -G Ninja -DMICROPAY_FUZZ=ON -DMICROPAY_TESTS=OFF \
	  -DCMAKE_CXX_COMPILER=clang++-19 > build-fuzz/configure.log 2>&1 || { cat build-fuzz/configure.log; exit 1; }
	@ninja -C build-fuzz fuzz
	@tools/fuzz.py $(or $(SECONDS),60) $(TARGETS)

mutants: setup-test  ## put wrong lines into a copy of the code, one at a time: would the tests notice? (NAMES="reversed-twice" for some)
	@tools/mutants.py $(NAMES)

sanitize: setup-test  ## the unit tests with address, undefined and leak checks, the concurrent ones with thread's
	@tools/sanitize.sh

cluster: setup-cluster build  ## the cluster profile on this machine: Kafka, PostgreSQL, Redis, every service a process (ARGS="--data FOLDER")
	@tools/cluster.py $(ARGS)

mixed: setup-cluster build  ## a release (REF, or the one of contracts/baseline.txt) and the working tree side by side on one cluster
	@tools/mixed.py $(REF)

release-contracts: setup  ## hold contracts to what they say now, from here on (REF: the release's commit)
	@tools/contracts.py release $(REF)

bench: setup-bench build  ## measure, each figure beside its floor (BENCH="payments single" for some rows)
	@ninja -C $(BUILD) bench
	@bench/bench.py $(BENCH)

bench-cluster: setup-bench setup-cluster build  ## the same over a cluster on this machine (BENCH="payments gateway" for some rows)
	@ninja -C $(BUILD) bench_load bench_rpc
	@bench/bench.py --cluster $(BENCH)

flame: setup-bench build  ## where a payment's CPU goes: a table, and the picture docs/flame.svg (needs linux-perf)
	@ninja -C $(BUILD) bench_load
	@bench/profile.py docs/flame.svg

bench-compare: setup-bench build  ## rows on another commit and here, in turns: ratios with spread (REF=HEAD~1 BENCH=payments)
	@ninja -C $(BUILD) bench
	@bench/compare.py $(or $(REF),HEAD) $(or $(BENCH),payments)

clean:  ## remove what was built; data/ stays
	rm -rf $(BUILD) build-fuzz build-asan build-tsan build-mutants .venv

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 23

setup:
	@tools/setup.sh

setup-test:
	@tools/setup.sh test

setup-bench:
	@tools/setup.sh bench

setup-cluster:
	@tools/setup.sh cluster

setup-fuzz:
	@tools/setup.sh fuzz

# The first configuration; afterwards ninja itself notices new files and changed CMakeLists.txt.
$(BUILD)/build.ninja: | setup
	@echo "configuring…"
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -G Ninja > $(BUILD)/configure.log 2>&1 || { cat $(BUILD)/configure.log; exit 1; }
