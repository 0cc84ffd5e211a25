# The list of wrong lines fits the tree: each is found once, changes something, and names tests that exist.
import importlib.util
import pathlib

SPEC = importlib.util.spec_from_file_location("mutants", pathlib.Path(__file__).parent / "mutants.py")
mutants = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(mutants)


def test_every_line_is_found_once():
    listed, problems = mutants.read_list()
    assert problems == []
    assert len(listed) >= 58


def test_every_test_named_is_a_folder_with_tests():
    listed, _ = mutants.read_list()
    for mutant in listed:
        for test in mutant["by"]:
            folder = mutants.ROOT / test.removesuffix("_test").replace("_", "/", 1)
            assert list(folder.rglob("*_test.cc")), f"{mutant['name']}: there are no tests in {folder}"


def test_a_line_that_is_gone_is_told(tmp_path):
    (tmp_path / "tests/mutants").mkdir(parents=True)
    (tmp_path / "tests/mutants/mutants.toml").write_text(
        '[[mutant]]\nname = "gone"\nfile = "a.cc"\nwas = "x"\nnow = "y"\nby = ["a_test"]\n')
    (tmp_path / "a.cc").write_text("z")
    assert mutants.read_list(tmp_path)[1] == ["gone: its line is found 0 times in a.cc"]
    (tmp_path / "a.cc").write_text("xx")
    assert "2 times" in mutants.read_list(tmp_path)[1][0]
