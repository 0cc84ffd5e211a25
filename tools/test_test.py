# tools/test.py counts what suites report, and takes silence, crashes and overruns for failures.
import importlib.util
import pathlib

import pytest

SPEC = importlib.util.spec_from_file_location("runner", pathlib.Path(__file__).parent / "test.py")
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)

CASES = ('<testsuites><testsuite name="s"><testcase name="a" status="run"/>'
         '<testcase name="b" status="run"><failure/></testcase><testcase name="c"><skipped/></testcase>'
         '<testcase name="d" status="notrun"/></testsuite></testsuites>')
PASSING = '<testsuites><testsuite name="s"><testcase name="a"/></testsuite></testsuites>'


@pytest.mark.parametrize("script,expected", [
    (f"echo '{PASSING}' > {{result}}", (1, 0)),
    (f"echo '{CASES}' > {{result}}; exit 1", (1, 1)),
    (f"echo '{PASSING}' > {{result}}; exit 3", (1, 1)),      # all passed, then it crashed
    ("echo '<testsuites' > {result}", (0, 1)),               # torn
    ("true", (0, 1)),                                        # ran nothing
    ("kill -9 $$", (0, 1)),
    ("echo 'ok      sizes'; echo 'FAILED  heads'; exit 1", (1, 1)),
    ("sleep 30", (0, 1)),                                    # overran
])
def test_outcomes(tmp_path, monkeypatch, capsys, script, expected):
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    assert runner.run("suite", ["sh", "-c", script], seconds=1) == expected
    assert capsys.readouterr().out.startswith("FAILED" if expected[1] else "ok")
