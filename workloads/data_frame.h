// DataFrame: a table of columns on the managed heap, and what one asks of it: select, derive,
// group, join.
//
//   DataFrame -> Column -> Values    a column is cut into pieces, all columns at the same rows
//
// Every value is a whole number (cents, seconds, millionths of a degree): sums are exact then, and
// do not depend on the order in which threads add. A frame does not change after it is made: each
// operation makes a new one, which shares the columns that stay as they are. What is not asked for
// again is garbage.
//
// Operations are called by the thread that owns the mutator and use as many threads as `threads`
// says. Functions that are handed in run on any of them, allocate nothing on the heap and have no
// state. ResourceExhausted says that the heap is full; what `made` held stays. `made` may be the
// frame that was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "tandem/array.h"
#include "tandem/persistent.h"
#include "tandem/status.h"
#include "workloads/key_table.h"

namespace tandem::workloads::frames {

using Values = Array<int64_t>;
using Column = Array<Member<Values>>;

class DataFrame : public GarbageCollected<DataFrame> {
 public:
  static constexpr size_t kRowsPerPiece = 256;
  static constexpr size_t kMaxColumns = 32;  // a Row has room for so many

  // With room for so many pieces, none of which is there yet. Null: the heap is full.
  static DataFrame* Make(Mutator& mutator, size_t columns, size_t pieces);

  explicit DataFrame(Array<Member<Column>>* columns) : columns_(columns) {}
  void Trace(Visitor* visitor) const { visitor->Trace(columns_); }

  size_t columns() const { return columns_->length(); }
  size_t pieces() const { return Of(0)->length(); }
  size_t RowsOf(size_t piece) const { return (*Of(0))[piece]->length(); }
  uint64_t CountRows() const;

  Column* Of(size_t column) const { return (*columns_)[column]; }
  void SetColumn(size_t column, Column* values) { (*columns_)[column] = values; }

 private:
  Member<Array<Member<Column>>> columns_;
};

// A row of a frame, while a thread looks at it. Only columns that are asked for are touched.
class Row {
 public:
  Row(const DataFrame& frame, size_t piece) : frame_(frame), piece_(piece) {}

  int64_t operator[](size_t column) const {
    const Values*& values = values_[column];
    if (values == nullptr) values = (*frame_.Of(column))[piece_];
    return (*values)[index];
  }

  size_t index = 0;  // of the row in its piece

 private:
  const DataFrame& frame_;
  const size_t piece_;
  mutable const Values* values_[DataFrame::kMaxColumns] = {};
};

// How an operation is carried out.
struct Threads {
  Mutator& mutator;  // of the calling thread
  uint64_t count;
};

// A frame of `rows` rows; `fill` says what is in row number n.
Status MakeFrame(const Threads& threads, size_t columns, uint64_t rows,
                 const std::function<void(uint64_t, std::span<int64_t>)>& fill,
                 Persistent<DataFrame>& made);

// The same rows with one more column.
Status Derive(const Threads& threads, const Persistent<DataFrame>& frame,
              const std::function<int64_t(const Row&)>& value, Persistent<DataFrame>& made);

// The rows that `wanted` says, with `more` columns, which it fills for those it wants.
Status Select(const Threads& threads, const Persistent<DataFrame>& frame, size_t more,
              const std::function<bool(const Row&, std::span<int64_t>)>& wanted,
              Persistent<DataFrame>& made);

// Where rows with a key are: what a join looks up.
struct Place : GarbageCollected<Place> {
  Place(int64_t k, uint32_t p, uint32_t i) : key(k), piece(p), index(i) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Place> next;
  const int64_t key;
  const uint32_t piece;
  const uint32_t index;
};

// The rows whose `key` is in column `other_key` of `other`, with that row's columns behind them;
// others are left out. Keys of `other` differ from each other.
Status Join(const Threads& threads, const Persistent<DataFrame>& frame,
            const std::function<int64_t(const Row&)>& key, const Persistent<DataFrame>& other,
            size_t other_key, Persistent<DataFrame>& made);

// What several values come to.
struct Total {
  static Total Of(int64_t value) { return {1, value, value, value}; }
  void Add(const Total& other);
  friend bool operator==(const Total&, const Total&) = default;

  uint64_t count = 0;
  int64_t sum = 0;
  int64_t min = INT64_MAX;
  int64_t max = INT64_MIN;
};

// What rows of the same key come to.
struct Group : GarbageCollected<Group> {
  explicit Group(int64_t k) : key(k) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Group> next;
  const int64_t key;
  Total total;
};

using Groups = KeyTable<Group>;

Status GroupBy(const Threads& threads, const Persistent<DataFrame>& frame,
               const std::function<int64_t(const Row&)>& key,
               const std::function<int64_t(const Row&)>& value, Persistent<Groups>& made);

}  // namespace tandem::workloads::frames
