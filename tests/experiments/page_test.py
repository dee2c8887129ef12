#!/usr/bin/python3
"""Opens the page of scripts/report in a headless Chromium, at a desk's and at a phone's width.

Usage: page_test.py FOLDER [unittest options]; the folder keeps pictures of the page.
Ends with 77 where there is no Chromium, or none that starts: ctest then says `skipped`.
"""

import pathlib
import subprocess
import sys
import unittest

from browser import Browser, Unavailable
from scratch import ROOT

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded.jsonl"
SKIPPED = 77
KEEP = pathlib.Path()
BROWSER = None

# Text of drawings that is cut off, or that lies on other text.
BAD_TEXT = """(() => {
  const bad = [];
  for (const drawing of document.querySelectorAll('figure svg')) {
    const frame = drawing.getBoundingClientRect();
    const boxes = [...drawing.querySelectorAll('text:not(.mark)')].map(
        t => [t.textContent, t.getBoundingClientRect()]);
    const where = drawing.getAttribute('aria-label');
    boxes.forEach(([words, box], place) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 ||
          box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        bad.push(`cut: ${where}: ${words}`);
      for (const [others, other] of boxes.slice(place + 1)) {
        if (Math.min(box.right, other.right) - Math.max(box.left, other.left) > 2 &&
            Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 4)
          bad.push(`overlap: ${where}: ${words} / ${others}`);
      }
    });
  }
  return bad;
})()"""

MARKS = """[...document.querySelectorAll('figure')].map(f => [f.getAttribute('aria-labelledby'),
  [...f.querySelectorAll('.mark')].filter(m => {
    const box = m.getBoundingClientRect(); return box.width > 0 && box.height > 0; }).length])"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run([str(ROOT / "scripts/report"), str(RECORDED), "--no-png", "--out",
                               str(KEEP)],
                              capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        cls.address = (KEEP / "report.html").resolve().as_uri()

    def look(self, width, height, name):
        BROWSER.complaints.clear()
        BROWSER.open(self.address, width, height)
        BROWSER.screenshot(KEEP / f"{name}.png")
        self.assertEqual(BROWSER.complaints, [])
        found = dict(BROWSER.ask(MARKS))
        self.assertGreater(len(found), 8)
        for figure, count in found.items():
            self.assertGreater(count, 3, figure)
        self.assertLessEqual(BROWSER.ask("document.documentElement.scrollWidth"), width)
        self.assertEqual(BROWSER.ask(BAD_TEXT), [])

    def test_it_is_good_at_a_desk(self):
        self.look(1280, 800, "desk")

    def test_it_is_good_on_a_phone(self):
        self.look(360, 740, "phone")

    def test_it_can_be_printed(self):
        BROWSER.open(self.address, 1280, 800)
        BROWSER.print(KEEP / "report.pdf")
        self.assertTrue((KEEP / "report.pdf").read_bytes().startswith(b"%PDF"))

    def test_errors_of_a_page_would_be_noticed(self):
        path = KEEP / "bad.html"
        path.write_text("<script>console.error('one'); throw 2</script><img src='none.png'>",
                        encoding="utf-8")
        BROWSER.complaints.clear()
        BROWSER.open(path.resolve().as_uri(), 800, 600)
        BROWSER.ask("1")
        self.assertGreaterEqual(len(BROWSER.complaints), 3, BROWSER.complaints)


if __name__ == "__main__":
    KEEP = pathlib.Path(sys.argv.pop(1))
    KEEP.mkdir(parents=True, exist_ok=True)
    try:
        BROWSER = Browser()
    except Unavailable as error:
        print(f"SKIPPED: {error}")
        sys.exit(SKIPPED)
    try:
        unittest.main()
    finally:
        BROWSER.close()
