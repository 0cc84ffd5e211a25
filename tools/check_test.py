# tools/check.py finds each violation that is planted in a scratch tree, and nothing in a sound one.
import pathlib
import subprocess
import sys

import pytest

CHECK = pathlib.Path(__file__).parent / "check.py"
RULES = "// Decisions of payments.\n#pragma once\n\nnamespace micropay {\nint64_t fee(int64_t minor);\n}\n"
SOUND = {
    "contracts/payment.proto": '// Payments.\nsyntax = "proto3";\n',
    "libs/base/money.h": "// Money.\n#pragma once\n",
    "services/payment/rules.h": RULES,
    "services/payment/rules.cc": '#include "services/payment/rules.h"\n\n#include <algorithm>\n\n'
                                 '#include "contracts/payment.pb.h"\n#include "libs/base/money.h"\n\n'
                                 "// A double-entry word in a comment, and std::thread too.\n"
                                 'const char* kText = "float // { std::chrono";\n',
    "services/audit/service.h": "// Audit.\n#pragma once\n",
    "app/main.cc": '// Starts it.\n#include "services/payment/rules.h"\n',
}


def long_function(lines, opening="int f() {"):
    return opening + "\n" + "  g();\n" * (lines - 2) + "}\n"


@pytest.fixture
def check(tmp_path):
    """Runs the named checks over SOUND with the given files added or replaced: (exit code, output)."""
    def run(names, files):
        for path, text in {**SOUND, **files}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        command = [sys.executable, CHECK, "--root", tmp_path, *names.split()]
        ran = subprocess.run(command, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr
    return run


def test_a_sound_tree_passes(check):
    code, out = check("includes sizes heads purity money", {})
    assert code == 0, out
    assert out.count("ok ") == 5


USES_PAYMENT = '// A.\n#include "services/payment/rules.h"\n'
IN_CLASS = "class A {\n  struct B {};\n" + long_function(61) + "};\n"
PLANTED = [
    ("includes", "libs/base/a.cc", USES_PAYMENT, "a.cc:2: libs must not include services"),
    ("includes", "services/payment/a.cc", '// A.\n#include "app/main.cc"\n', "services must not include app"),
    ("includes", "services/audit/a.cc", USES_PAYMENT, "never include each other"),
    ("includes", "services/payment/a.cc", '// A.\n#include "rules.h"\n', "no file of ours"),
    ("includes", "services/payment/a.cc", '// A.\n#include "contracts/none.pb.h"\n', "no file of ours"),
    ("sizes", "libs/base/a.cc", "// A.\n" * 401, "401 lines; the limit is 400"),
    ("sizes", "libs/base/a.h", "// A.\n" * 201, "201 lines; the limit is 200"),
    ("sizes", "libs/base/a_test.cc", "// A.\n" * 601, "601 lines; the limit is 600"),
    ("sizes", "libs/base/a.cc", "// " + "x" * 108 + "\n", "a.cc:1: 111 columns"),
    ("sizes", "libs/base/a.cc", "namespace m {\n" + long_function(61) + "}\n", "a.cc:2: a function of 61"),
    ("sizes", "libs/base/a.cc", long_function(61, "A::A(int x) : a_(x), b_{x} {"), "a function of 61 lines"),
    ("sizes", "libs/base/a.h", IN_CLASS, "a.h:3: a function of 61 lines"),
    ("heads", "libs/base/a.h", "#pragma once\n", "opens without a comment"),
    ("heads", "tools/a.py", "#!/usr/bin/env python3\nimport os\n", "opens without a comment"),
    ("heads", "libs/base/a.h", "// Copyright somebody\n#pragma once\n", "no licence banners"),
    ("purity", "services/payment/service.cc", "// S.\nvoid f() { std::thread t; }\n", "cc:2: std::thread"),
    ("purity", "services/payment/rules.cc", "#include <chrono>\n", "rules.cc:1: #include <chrono>"),
    ("purity", "services/payment/service.cc", "// S.\nauto t = system_clock().now();\n", "system_clock"),
    ("checks", "libs/base/a.cc", "// A.\nvoid f() {\n  CHECK(row->ParseFromString(bytes));\n}\n", "a.cc:3: bytes"),
    ("money", "services/payment/effects/a.cc", "// S.\ndouble fee;\n", "a.cc:2: double"),
    ("money", "libs/base/money.h", "// M.\nfloat f();\n", "money.h:2: float"),
]


@pytest.mark.parametrize("name,path,text,finding", PLANTED)
def test_a_planted_violation_is_found(check, name, path, text, finding):
    code, out = check(name, {path: text})
    assert code == 1
    assert out.startswith("FAILED  " + name)
    assert finding in out


ALLOWED = [
    ("sizes", "libs/base/a.cc", long_function(60)),
    ("sizes", "libs/base/a.cc", long_function(90, "const int kTable[] = {")),
    ("sizes", "libs/base/a.cc", long_function(90, "namespace {")),
    ("sizes", "libs/base/a.cc", "#define X {\n" + long_function(60) + long_function(60)),
    ("money", "services/fraud/rules.cc", "// F.\ndouble score;\n"),
    ("money", "services/payment/a.cc", "// P.\ndouble share;  // of the traffic, not money\n"),
    ("purity", "services/payment/effects/a.cc", "// P.\n#include <thread>\n"),
    ("checks", "libs/base/a.cc", "// A.\nvoid f() {\n  CHECK(row->ParseFromString(bytes));  // own bytes\n}\n"),
    ("checks", "libs/base/a_test.cc", "// A.\nvoid f() {\n  CHECK(row->ParseFromString(bytes));\n}\n"),
]


@pytest.mark.parametrize("name,path,text", ALLOWED)
def test_what_is_allowed_passes(check, name, path, text):
    code, out = check(name, {path: text})
    assert code == 0, out


def test_format_finds_and_fixes(check, tmp_path):
    crooked = {"libs/base/a.cc": "// A.\nint   f( ){return 1 ;}\n"}
    (tmp_path / ".clang-format").write_text("BasedOnStyle: Google\n")
    code, out = check("format", crooked)
    assert code == 1 and "libs/base/a.cc:2: not formatted" in out
    assert check("format --fix", crooked)[0] == 0
    assert "int f() { return 1; }" in (tmp_path / "libs/base/a.cc").read_text()


def test_an_unknown_check_is_an_error(check):
    code, out = check("sizse", {})
    assert code == 2 and "no check sizse" in out
