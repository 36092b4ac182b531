#!/usr/bin/env bash
# Makes .venv, installs the package with its checks, and fetches the face model. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "affectscope set-up: $*"; }

need_system_package() { # name, why
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing the system package $1 ($2)"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
    else
        say "please install the system package $1 ($2), for example: sudo apt-get install $1"
        exit 1
    fi
}

wish_for_system_package() { # name, why: the tests that need it are skipped without it
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        need_system_package "$1" "$2" || say "$1 could not be installed ($2); those tests are skipped"
    else
        say "without the system package $1 some tests are skipped ($2)"
    fi
}

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
    fi
done
if [ -z "$python" ]; then
    need_system_package python3 "Python 3.11 or newer"
    python=python3
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || need_system_package python3-venv "virtual environments"
for library in libGL.so.1 libEGL.so.1 libGLESv2.so.2 libpango-1.0.so.0 libpangoft2-1.0.so.0 libharfbuzz-subset.so.0; do
    if ! ldconfig -p | grep -q "$library"; then
        case $library in
            libGL.so.1) need_system_package libgl1 "face detection loads it" ;;
            libEGL.so.1) need_system_package libegl1 "face detection loads it" ;;
            libGLESv2.so.2) need_system_package libgles2 "face detection loads it" ;;
            libpango-1.0.so.0) need_system_package libpango-1.0-0 "reports as PDF need it" ;;
            libpangoft2-1.0.so.0) need_system_package libpangoft2-1.0-0 "reports as PDF need it" ;;
            libharfbuzz-subset.so.0) need_system_package libharfbuzz-subset0 "reports as PDF need it" ;;
        esac
    fi
done

command -v chromium >/dev/null || wish_for_system_package chromium "tests of the page drive it"
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || wish_for_system_package postgresql "the database's tests run on it too"

stamp=.venv/.installed
wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
if [ ! -x .venv/bin/affectscope ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    say "installing into .venv (one to four minutes)"
    .venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
    printf '%s\n' "$wanted" >"$stamp"
fi
.venv/bin/affectscope fetch-models
