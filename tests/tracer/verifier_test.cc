// The verifier must be able to fail, or the tests that rely on it show nothing.
#include "runtime/tracer/verifier.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/tracer/parts.h"

namespace tandem::tracer {
namespace {

using testing::AsCell;
using testing::Attached;
using testing::Parts;

// root -> a -> b, all marked.
struct Chain {
  explicit Chain(Attached& self, heap::Space& space) {
    for (uintptr_t* cell : {&b, &a, &root}) *cell = self.NewCell();
    AsCell(root).references[0] = a;
    AsCell(a).references[1] = b;
    for (uintptr_t cell : {root, a, b}) space.tables.Mark(heap::HeaderOf(cell));
  }
  uintptr_t root = 0;
  uintptr_t a = 0;
  uintptr_t b = 0;
};

void ClearMark(heap::Space& space, uintptr_t reference) {
  const size_t granule = space.tables.GranuleOf(heap::HeaderOf(reference));
  space.tables.marks()[granule >> 6] &= ~(uint64_t{1} << (granule & 63));
}

TEST(Verifier, CountsWhatIsReachable) {
  Parts parts;
  Attached self(parts);
  const Chain chain(self, *parts.space);
  Verifier verifier(*parts.space, self.thread().port());
  verifier.AddRoot(chain.root);
  EXPECT_EQ(verifier.Run(), 3u);
}

TEST(Verifier, TakesAnUnmarkedObjectOnAStackForLitter) {
  Parts parts;
  Attached self(parts);
  const Chain chain(self, *parts.space);
  ClearMark(*parts.space, chain.root);
  Verifier verifier(*parts.space, self.thread().port());
  verifier.AddStackObject(heap::HeaderOf(chain.root));
  EXPECT_EQ(verifier.Run(), 0u);
}

TEST(VerifierDeathTest, EndsTheProcessWhenAReachableObjectIsNotMarked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Parts parts;
        Attached self(parts);
        const Chain chain(self, *parts.space);
        ClearMark(*parts.space, chain.b);
        Verifier verifier(*parts.space, self.thread().port());
        verifier.AddRoot(chain.root);
        verifier.Run();
      },
      "a reachable object is not marked");
}

TEST(VerifierDeathTest, EndsTheProcessWhenAReferenceLeadsToNoObject) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Parts parts;
        Attached self(parts);
        const Chain chain(self, *parts.space);
        AsCell(chain.b).references[0] = chain.b + 16;
        Verifier verifier(*parts.space, self.thread().port());
        verifier.AddRoot(chain.root);
        verifier.Run();
      },
      "to no object");
}

// In a cycle: an object that was marked, and whose mark is then lost.
TEST(VerifierDeathTest, CatchesAMarkLostInTheMiddleOfACycle) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Parts parts;
        Attached self(parts);
        heap::Roots::Slot* slot = parts.roots.Lend();
        // Made by a thread that is gone, so that no stack has a word that would mark it again.
        uintptr_t hidden = 0;
        std::thread([&] {
          Attached other(parts);
          const uintptr_t root = other.NewCell();
          const uintptr_t child = other.NewCell();
          AsCell(root).references[0] = child;
          for (uintptr_t last = child, i = 0; i < 100; ++i) {
            AsCell(last).references[0] = other.NewCell();
            last = AsCell(last).references[0];
          }
          *slot = root;
          hidden = ~child;
        }).join();
        parts.collector->StepBegin();
        while (!parts.space->tables.IsMarked(heap::HeaderOf(~hidden))) {
          parts.collector->Step(1);
        }
        ClearMark(*parts.space, ~hidden);
        parts.collector->StepEnd();
      },
      "a reachable object is not marked");
}

}  // namespace
}  // namespace tandem::tracer
