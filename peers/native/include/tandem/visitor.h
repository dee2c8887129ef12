// Visitor, for a peer: nobody calls Trace, but its text must compile.
#pragma once

#include <cstddef>

namespace tandem {

template <typename T>
class Member;

class Visitor {
 public:
  template <typename T>
  void Trace(const Member<T>&) {}
  template <typename T>
  void TraceRange(const Member<T>*, size_t) {}
};

}  // namespace tandem
