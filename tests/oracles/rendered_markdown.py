"""What a browser would get of Markdown, HTML inside of it included: the readings of GitHub and of
the hubs, without their sanitising.
"""

from html.parser import HTMLParser

from markdown_it import MarkdownIt


class Seen(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def rendered(text):
    """Return what stands on the page."""
    seen = Seen()
    seen.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    return seen
