"""Tests of the checks of the tree: check_includes.py, check_names.py and check_text.py."""

import pathlib
import tempfile
import unittest

import check_includes
import check_names
import check_text


class Includes(unittest.TestCase):
    def errors(self, path, line, tree=()):
        return check_includes.check_file(path, "// head\n" + line + "\n", set(tree).__contains__)

    def assert_allowed(self, path, target):
        name = target.removeprefix("include/")
        self.assertEqual(self.errors(path, f'#include "{name}"', [target]), [])

    def assert_forbidden(self, path, target):
        name = target.removeprefix("include/")
        for line in (f'#include "{name}"', f"#  include <{name}>"):
            errors = self.errors(path, line, [target])
            self.assertEqual(len(errors), 1, f"{path} -> {target}")
            self.assertTrue(errors[0].startswith(f'{path}:2: includes "{name}"; '), errors[0])

    def test_every_floor_may_include_itself_and_the_lowest(self):
        for path in ("runtime/base/a.h", "rdma/a.h", "runtime/swap/a.cc", "runtime/heap/a.cc"):
            self.assert_allowed(path, str(pathlib.Path(path).parent / "other.h"))
            self.assert_allowed(path, "include/tandem/status.h")
            self.assert_allowed(path, "include/tandem/internal/layout.h")

    def test_floors_may_include_those_below_and_none_above(self):
        house = ["runtime/base", "rdma", "runtime/swap", "runtime/prefetch", "runtime/heap",
                 "runtime/tracer", "runtime"]
        for upper, above in enumerate(house):
            for lower, below in enumerate(house):
                path, target = f"{above}/a.cc", f"{below}/b.h"
                if lower <= upper:
                    self.assert_allowed(path, target)
                else:
                    self.assert_forbidden(path, target)

    def test_of_the_public_api_the_parts_may_include_only_the_lowest_floor(self):
        self.assert_allowed("runtime/tracer/marker.h", "include/tandem/visitor.h")
        self.assert_forbidden("runtime/tracer/marker.h", "include/tandem/heap.h")
        self.assert_allowed("runtime/heap.cc", "include/tandem/heap.h")

    def test_the_public_api_includes_only_itself(self):
        self.assert_allowed("include/tandem/member.h", "include/tandem/internal/barrier.h")
        self.assert_forbidden("include/tandem/member.h", "runtime/base/clock.h")
        self.assert_forbidden("include/tandem/internal/barrier.h", "include/tandem/heap.h")

    def test_programs_see_the_public_api_without_its_internals(self):
        for path in ("workloads/wordcount.cc", "tools/main.cc"):
            self.assert_allowed(path, "include/tandem/tandem.hpp")
            self.assert_allowed(path, "include/tandem/status.h")
            self.assert_forbidden(path, "include/tandem/internal/layout.h")
            self.assert_forbidden(path, "runtime/base/clock.h")
        self.assert_allowed("tools/main.cc", "workloads/workload.h")
        self.assert_forbidden("workloads/wordcount.cc", "tools/options.h")

    def test_nothing_of_the_house_includes_what_stands_outside(self):
        self.assert_forbidden("runtime/heap/heap.cc", "tests/heap/fixture.h")

    def test_other_peoples_headers_stand_in_angle_brackets(self):
        self.assertEqual(self.errors("rdma/a.cc", "#include <fmt/format.h>"), [])
        self.assertIn("others in <>", self.errors("rdma/a.cc", '#include "channel.h"')[0])

    def test_a_missing_file_is_named(self):
        self.assertIn("no such file", self.errors("rdma/a.cc", '#include "rdma/gone.h"')[0])

    def test_a_new_directory_needs_a_floor(self):
        self.assertIn("on no floor", self.errors("runtime/new/a.cc", "")[0])

    def test_a_whole_tree_is_read(self):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {"rdma/a.h": '#include "runtime/swap/b.h"\n',
                               "runtime/swap/b.h": "", "tests/c.cc": '#include "rdma/a.h"\n',
                               "build/release/d.h": '#include "tests/c.cc"\n'}.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            errors = check_includes.check_tree(root)
        self.assertEqual(len(errors), 1)
        self.assertTrue(errors[0].startswith("rdma/a.h:1: "), errors[0])


class Names(unittest.TestCase):
    GROUP = "struct Group : GarbageCollected<Group> {\n  int a;\n};\n"

    def in_namespace(self, name, text):
        return f"namespace {name} {{\n\n{text}\n}}  // namespace {name}\n"

    def errors(self, first, second):
        return check_names.check_files({"a.h": first, "b.h": second})

    def test_two_types_of_one_name_are_found(self):
        for other in (self.GROUP, "class Group {};\n", "class Group final\n    : public Base {\n};\n",
                      "enum class Group : int { kA };\n"):
            errors = self.errors(self.in_namespace("x::y", self.GROUP),
                                 self.in_namespace("x::y", other))
            self.assertEqual(len(errors), 1, other)
            self.assertTrue(errors[0].startswith("b.h:3: defines x::y::Group, as a.h does"), errors)

    def test_namespaces_tell_names_apart(self):
        self.assertEqual(self.errors(self.in_namespace("x", self.GROUP),
                                     self.in_namespace("y", self.GROUP)), [])
        nested = self.in_namespace("x", "namespace z {\n" + self.GROUP + "}  // namespace z\n")
        self.assertEqual(self.errors(self.in_namespace("x", self.GROUP), nested), [])
        short = "namespace z {\nclass Other;\n}\n" + self.GROUP
        self.assertEqual(len(self.errors(self.in_namespace("x", self.GROUP),
                                         self.in_namespace("x", short))), 1)

    def test_what_nobody_else_sees_or_is_only_declared_may_share_a_name(self):
        hidden = "namespace {\n\n" + self.GROUP + "\n}  // namespace\n"
        for other in (hidden, "struct Group;\n", "struct Group::Part {\n};\n",
                      "template <>\nstruct Group<int> {\n};\n"):
            self.assertEqual(self.errors(self.in_namespace("x", self.GROUP),
                                         self.in_namespace("x", other)), [], other)


class Text(unittest.TestCase):
    def test_places_on_one_machine_are_found(self):
        for place in ("wo" "rk/x", "ro" "ot/.cache", "ho" "me/someone/y"):
            for line in (f"cd /{place}", f'"/{place}"', f"file:///{place}"):
                self.assertEqual(len(check_text.check_text("a.md", f"one\n{line}\n")), 1, line)

    def test_places_that_every_machine_has_are_fine(self):
        for line in ("/usr/share/doc", "build/work/x", "$HO" "ME/x", "./ro" "ot/x", "/proc/1"):
            self.assertEqual(check_text.check_text("a.md", line), [], line)

    def test_work_to_be_done_needs_a_reason(self):
        word = "TO" "DO"
        self.assertEqual(len(check_text.check_text("a.h", f"// {word}: later\n")), 1)
        self.assertEqual(len(check_text.check_text("a.h", f"// {word}(): later\n")), 1)
        self.assertEqual(len(check_text.check_text("a.h", "// FIX" "ME\n")), 1)
        self.assertEqual(
            check_text.check_text("a.h", f"// {word}(needs Linux 6.8): move the page\n"), [])


if __name__ == "__main__":
    unittest.main()
