"""The package stays small enough to read."""

import code_size


def test_one_training_is_at_most_15_files():
    behind = code_size.modules_behind(code_size.TRAINING, package="fdsl.train")
    assert len(behind) <= 15, behind


def test_docstrings_comments_and_blank_lines_are_no_code():
    head = '"""A module\nof one function."""\n\n# a comment\n'
    text = f'{head}def f():\n    """Do."""\n\n    return """a\n\nb"""\n'
    assert code_size.code_lines(text) == 3
