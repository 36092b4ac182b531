#!/usr/bin/env bash
# The main job on simulated people: train a small network, assess somebody it has never seen, then a study of five patients; then a
# quick look at one of the paper's tables on a twin of AMIGOS.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf demo
affectscope=.venv/bin/affectscope
"$affectscope" simulate people demo/people --people 8 --minutes 2
"$affectscope" fit demo/people --out demo/checkpoint --demo
"$affectscope" simulate session demo/therapy --subject simulated-held-out --minutes 6
"$affectscope" assess demo/therapy --out demo/report --checkpoint demo/checkpoint --rate 5
"$affectscope" simulate study demo/patients --patients 5 --minutes 6
"$affectscope" study demo/patients --out demo/study --checkpoint demo/checkpoint --rate 2
"$affectscope" simulate amigos demo/twin --participants 4 --clip-scale 0.15 --frame-rate 2 --no-long-videos
"$affectscope" reproduce fg2020.table3 --data demo/twin --out demo/table3 --seeds 1 --epochs 3 --learning-rate 1e-3
echo
echo "All numbers above are about simulated people. Open demo/report/report.html, demo/study/study.html and demo/table3/table3.html"
echo "The page, with the network that was trained: $affectscope serve demo/page --checkpoint demo/checkpoint --rate 5"
