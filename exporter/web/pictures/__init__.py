"""
Pictures as SVG, made on the server: pure functions from numbers to markup.

Colours come from the page's style sheet by class (`Kind`), so that one picture fits light and dark pages. Each picture
has a text that says what it shows.
"""
