#!/bin/bash
# Installs what MicroPay needs on Debian 12, once: `setup.sh` to build and run, `setup.sh test` for tests and
# checks too (that also makes .venv from tests/requirements.txt), `setup.sh fuzz` for libFuzzer, `setup.sh
# bench` for what `make bench` measures beside us, `setup.sh cluster` for the servers of the cluster profile. A
# stamp below build/ holds the hash of these lists: when it fits, this returns in milliseconds; when every
# package is there already, it needs neither network nor root.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
kind=${1:-run}

packages=(g++ make python3 cmake ninja-build ccache mold pkg-config curl jq
  libboost-dev libboost-system-dev libssl-dev libsodium-dev libprotobuf-dev libprotoc-dev protobuf-compiler
  libsqlite3-dev sqlite3 libsimdjson-dev libspdlog-dev libfmt-dev libyaml-cpp-dev libcli11-dev libre2-dev
  libzstd-dev zlib1g-dev libabsl-dev libicu-dev libjemalloc-dev libgtest-dev libgmock-dev
  libpq-dev libmariadb-dev librdkafka-dev libhiredis-dev libcurl4-openssl-dev libnghttp2-dev)
servers=(postgresql mariadb-server redis-server maven openjdk-17-jdk-headless kcat)
if [ "$kind" = cluster ]; then
  packages+=(python3 python3-venv "${servers[@]}")
fi
if [ "$kind" = test ]; then
  packages+=(git python3 python3-venv wrk clang-format-19 clang-tidy-19 chromium faketime libtcmalloc-minimal4
    openssl libgrpc++-dev
    "${servers[@]}")
fi

if [ "$kind" = bench ]; then
  packages+=(git python3 wrk nginx haproxy openssl curl postgresql linux-perf)
fi

if [ "$kind" = fuzz ]; then
  packages+=(clang-19 libclang-rt-19-dev)
fi

stop() {
  echo "setup: $1" >&2
  exit 1
}

# Runs the rest as root, through sudo where needed.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo > /dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    stop "not root and no sudo; as root, run: apt-get update && apt-get install -y ${missing[*]}"
  fi
}

install_packages() {
  command -v dpkg-query > /dev/null ||
    stop "this is made for Debian 12; elsewhere install by hand: ${packages[*]}"
  local installed package
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2> /dev/null |
    sed -n 's/ installed$//p' || true)
  missing=()
  for package in "${packages[@]}"; do
    grep -qxF -- "$package" <<< "$installed" || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root apt-get update -q ||
    stop "apt-get update failed: is there a network, and is /etc/apt/sources.list right?"
  as_root apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    stop "apt-get install failed, see above. MicroPay needs Debian 12 (bookworm) with its updates"
}

make_venv() {
  local wanted
  wanted=$(sha256sum tests/requirements.txt)
  [ "$(cat .venv/made-from 2> /dev/null)" = "$wanted" ] && return
  echo "setup: Python packages of the tests into .venv"
  rm -rf .venv
  python3 -m venv .venv || stop "python3 -m venv failed; is python3-venv of this Python installed?"
  .venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt ||
    stop "pip failed; is the package index reachable? (pip's PIP_INDEX_URL and PIP_PROXY are honoured)"
  echo "$wanted" > .venv/made-from
}

# The servers that are no Debian packages, into .servers/; each sees for itself what it has already.
fetch_servers() {
  tests/servers/kafka.py ||
    stop "Maven could not fetch Kafka; is its repository reachable? (~/.m2/settings.xml is honoured)"
  tests/servers/zipkin.py ||
    stop "Maven could not fetch Zipkin; is its repository reachable? (~/.m2/settings.xml is honoured)"
}

stamp="$build/.setup-$kind"
wanted=$(cat tools/setup.sh tests/requirements.txt /etc/os-release | sha256sum)
if [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ]; then
  install_packages
  mkdir -p "$build"
  echo "$wanted" > "$stamp"
fi
if [ "$kind" = test ]; then make_venv; fi
if [ "$kind" = test ] || [ "$kind" = cluster ]; then fetch_servers; fi
