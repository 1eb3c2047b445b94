# SPDX-License-Identifier: MIT
"""Plain text out of the formats that packages carry it in.

Each reader takes the text (or bytes) of one file and gives the documents in it.
"""
import re
import struct
import zlib
from html.parser import HTMLParser

# Pages around the page: menus, navigation, metadata. By tag, class and id.
SKIPPED_TAGS = {"script", "style", "head", "nav", "header", "footer", "aside", "form", "button",
                "noscript", "info", "svg"}
SKIPPED_NAMES = {"navheader", "navfooter", "docnav", "menu", "toc", "fancy_toc",
                 "fancy-toc", "toc_menu", "nosearch", "searchmenu", "banner",
                 "sphinxsidebar", "related", "headerlink", "viewcode-link", "prev-next-area",
                 "linenos", "indexterm", "onthispage"}
BLOCKS = {"p", "div", "section", "article", "table", "tr", "ul", "ol", "dl", "li", "dt", "dd",
          "pre", "blockquote", "title", "h1", "h2", "h3", "h4", "h5", "h6", "br", "page", "desc",
          "item", "note", "steps", "list", "terms", "screen", "code-block"}
VOID = {"br", "img", "hr", "input", "meta", "link", "area", "col", "base", "wbr", "source"}


class _Text(HTMLParser):
    """Paragraphs of an HTML or Mallard page, without what stands around it."""

    def __init__(self, void):
        super().__init__(convert_charrefs=True)
        self.parts, self.open, self.skipping, self.preformatted = [], [], 0, 0
        self.void = void

    def handle_starttag(self, tag, attrs):
        if tag in BLOCKS:
            self.parts.append("\n\n" if tag not in ("li", "br", "tr", "dd", "item") else "\n")
        if tag in self.void:
            return
        attrs = dict(attrs)
        names = set((attrs.get("class") or "").split()) | {attrs.get("id")}
        skip = tag in SKIPPED_TAGS or bool(names & SKIPPED_NAMES)
        self.skipping += skip
        self.preformatted += tag == "pre"
        self.open.append((tag, skip))

    def handle_startendtag(self, tag, attrs):
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        # Pages leave <li> and <p> open: close up to the matching tag, if there is one.
        if tag not in (name for name, _ in self.open):
            return
        while self.open:
            name, skip = self.open.pop()
            self.skipping -= skip
            self.preformatted -= name == "pre"
            if name == tag:
                break
        if tag in BLOCKS:
            self.parts.append("\n\n" if tag in ("p", "pre", "h1", "h2", "h3", "table") else "\n")

    def handle_data(self, data):
        if self.skipping:
            return
        self.parts.append(data if self.preformatted else re.sub(r"\s+", " ", data))


def tidy(text):
    """No control characters, no blanks at line ends, at most one empty line."""
    text = text.replace("\r\n", "\n").replace("\u00a0", " ")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffd]", "", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def html(text):
    # Where a page says which part of it is the article, the rest is navigation.
    article = re.search(r"<article\b.*</article>", text, flags=re.S)
    if article:
        text = article.group(0)
    parser = _Text(VOID)
    parser.feed(text)
    return [re.sub(r"\n +", "\n", "".join(parser.parts))]


def mallard(text):
    """GNOME's help pages. <link> has content there; the head is <info>."""
    parser = _Text(VOID - {"link"})
    parser.feed(text)
    return [re.sub(r"\n +", "\n", "".join(parser.parts))]


def plain(text):
    return [text]


def rst(text):
    """reStructuredText and Markdown stay as they are, less directives that only name things."""
    text = re.sub(r"^\.\. (auto\w+|module|currentmodule|index|toctree|highlight|image|figure|"
                  r"SPDX|_[^:\n]+:|include|moduleauthor|sectionauthor)[^\n]*\n(?:[ \t]+[^\n]*\n)*",
                  "", text, flags=re.M)
    text = re.sub(r"^[ \t]+:(members|undoc-members|maxdepth|caption|toctree|noindex)[^\n]*\n", "",
                  text, flags=re.M)
    return [re.sub(r":(?:[a-z]+:)?[a-z]+:`[~!]?([^`<]+?)(?: ?<[^`>]*>)?`", r"``\1``", text)]


def markdown(text):
    """Markdown less badges, images, HTML and the targets of links."""
    text = re.sub(r"<[^>\n]+>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    return [re.sub(r"^\[[^\]]+\]:.*\n", "", text, flags=re.M)]


def pod(text):
    """Perl's documentation, less its formatting codes."""
    text = re.sub(r"^=(?:begin|for)\b.*?^=end\b[^\n]*\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^=(?:head\d|item) +", "", text, flags=re.M)
    text = re.sub(r"^=\w+[^\n]*\n", "", text, flags=re.M)
    text = text.replace("E<gt>", ">").replace("E<lt>", "<").replace("E<sol>", "/")
    for _ in range(3):  # codes nest
        text = re.sub(r"\b[BCFILSXZ]<<+ (.*?) >>+", r"\1", text)
        text = re.sub(r"\bX<[^<>]*>", "", text)
        text = re.sub(r"\b[BCFILSZ]<([^<>]*)>", r"\1", text)
    return [text]


def r_strings(data):
    """The long character vectors of an R lazy-load file, as texts. Takes bytes: objects follow each
    other, each as 4 bytes of unpacked size and a zlib stream."""
    documents = []
    while len(data) > 4:
        stream = zlib.decompressobj()
        lines = _r_character_vector(stream.decompress(data[4:]))
        data = stream.unused_data
        if len(lines) > 1000:
            documents.append("\n".join(lines))
    return documents


def _r_character_vector(raw):
    """The longest STRSXP of a serialised R object (XDR): CHARSXP items are flags, length, bytes."""
    lines, best, at = [], [], 0
    while at + 8 <= len(raw):
        flags, length = struct.unpack(">Ii", raw[at:at + 8])
        if flags & 0xFF == 9 and 0 <= length <= len(raw) - at - 8 and flags >> 20 == 0:
            lines.append(raw[at + 8:at + 8 + length].decode("utf-8", "replace"))
            at += 8 + length
        else:
            best, lines = max(best, lines, key=len), []
            at += 1
    return max(best, lines, key=len)


def php_heredoc(text):
    """The one long literal of a text provider of Faker."""
    found = re.search(r"\$baseText = <<<'?(\w+)'?\n(.*?)\n\s*\1;", text, flags=re.S)
    return [found.group(2)] if found else []


def wordnet(text):
    """Glosses and their examples, twenty a document."""
    glosses = [line.split(" | ", 1)[1].strip() for line in text.splitlines() if " | " in line]
    words = [line.split()[4].replace("_", " ") for line in text.splitlines() if " | " in line]
    entries = [f"{word}: {gloss}" for word, gloss in zip(words, glosses)]
    return ["\n".join(entries[i:i + 20]) for i in range(0, len(entries), 20)]


def metamath(text):
    """Theorems with their comments, hypotheses and statements; proofs are left out.

    Proofs are compressed to letters and teach a language model nothing. Twelve theorems a document.
    The first fifth of set.mm has enough of them, and reading all of it would take half a minute.
    """
    text = text[:9_000_000]
    block = re.compile(r"\$\((?P<note>(?:(?!\$\)).)*)\$\)|\$\{|\$\}|(?P<label>\S+)\s+\$"
                       r"(?P<kind>[eap])\s+\|-\s(?P<statement>.*?)\s+\$[.=]", re.S)
    theorems, hypotheses, note = [], [[]], ""
    for match in block.finditer(text):
        if match.group(0) == "${":
            hypotheses.append([])
        elif match.group(0) == "$}":
            if len(hypotheses) > 1:
                hypotheses.pop()
        elif match.group("note") is not None:
            note = match.group("note")
        elif match.group("kind") == "e":
            hypotheses[-1].append(_one_line(match.group("statement")))
        else:
            theorems.append(_theorem(match, note, [h for level in hypotheses for h in level]))
            note = ""
    return ["\n\n".join(theorems[i:i + 12]) for i in range(0, len(theorems), 12)]


def _one_line(text):
    return re.sub(r"\s+", " ", text).strip()


def _theorem(match, note, hypotheses):
    note = re.sub(r"\((?:Contributed|Proof shortened|Revised|New usage|Proof modification)[^()]*"
                  r"(?:\([^()]*\)[^()]*)*\)", "", note, flags=re.S)
    note = _one_line(re.sub(r"[`~] ?", "", note))
    kind = "Axiom" if match.group("kind") == "a" else "Theorem"
    lines = [f"{kind} {match.group('label')}. {note}".strip()]
    lines += [f"  given   {h}" for h in hypotheses]
    return "\n".join(lines + [f"  proves  {_one_line(match.group('statement'))}"])


def pieces(text, size):
    """Cuts a long document into parts of about `size` bytes: at an empty line where one comes soon
    enough, at the end of a line otherwise."""
    part, length = [], 0
    for line in text.split("\n"):
        if (length > size and not line) or length > 1.5 * size:
            yield "\n".join(part)
            part, length = [], 0
        part.append(line)
        length += len(line.encode()) + 1
    if part:
        yield "\n".join(part)


def chapters(text, size=12000):
    """A book by its chapter headings; chapters longer than `size` at paragraphs."""
    for chapter in re.split(r"\n\n(?=(?:CHAPTER|Chapter|VOLUME|ACT|BOOK)\b[^\n]{0,40}\n)", text):
        yield from pieces(chapter, size)


def han_share(text):
    letters = [c for c in text if c.isalpha()]
    return sum("\u4e00" <= c <= "\u9fff" for c in letters) / max(1, len(letters))
