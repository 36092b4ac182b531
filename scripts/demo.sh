#!/usr/bin/env bash
# The main job on simulated people: train a small network, assess somebody it has never seen.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf demo
affectscope=.venv/bin/affectscope
"$affectscope" simulate people demo/people --people 8 --minutes 2
"$affectscope" fit demo/people --out demo/checkpoint --demo
"$affectscope" simulate session demo/therapy --subject simulated-held-out --minutes 6
"$affectscope" assess demo/therapy --out demo/report --checkpoint demo/checkpoint --rate 5
echo
echo "All numbers above are about simulated people. Open demo/report/report.html"
