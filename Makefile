.PHONY: demo test faults setup clean

setup:
	@./scripts/setup.sh

demo: setup
	@./scripts/demo.sh

# pytest: files begin in the order of their names. By number of tests, as xdist has it, the journeys, which are
# few and long, would come last and one core would wait.
test: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

faults: setup
	@.venv/bin/python scripts/faults.py

clean:
	rm -rf demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
