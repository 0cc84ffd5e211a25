# Just enough reading of C++ for tools/check.py: a text without comments and literals, and where functions
# begin and end. Not a parser: it follows braces and looks at what stands before them.
import re

# In order of precedence: comments, raw strings, strings, characters (not the ' of 1'000).
_NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"([^(\n]*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\""
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", re.S)
_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
_TRANSPARENT = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def _blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def code_only(text):
    """The text with comments and literals blanked; lines and columns stay. Includes stay."""
    return _NOT_CODE.sub(lambda match: match[0] if _is_include(text, match.start()) else _blank(match), text)


def _is_include(text, at):
    return text[text.rfind("\n", 0, at) + 1:at].lstrip().startswith("#include")


def functions(code):
    """(first line, last line) of each outermost function body, from code_only(): the lines of its braces."""
    code = _PREPROCESSOR.sub(_blank, code)
    line, since = 1, 0          # since: where the text before the next brace begins
    scopes = []                 # per open brace: the line where a function began, 0 for other scopes
    for at, c in enumerate(code):
        if c == "\n":
            line += 1
        elif c == ";":
            since = at + 1
        elif c == "{":
            inside = any(scopes)
            head = code[since:at].strip()
            scope = bool(_TRANSPARENT.search(head)) and "(" not in head
            # A table's braces follow "=", "(" or a plain name; a constructor's may follow "b_{y}", so "".
            data = head.endswith(("=", "(", ",")) or (head != "" and "(" not in head)
            scopes.append(0 if inside or scope or data else line)
            since = at + 1
        elif c == "}":
            since = at + 1
            if scopes and (first := scopes.pop()):
                yield first, line
