#include "workloads/data_frame.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "workloads/tasks.h"

namespace tandem::workloads::frames {

namespace {

using Places = KeyTable<Place>;
using SharedGroups = Array<Member<Groups>>;

Status Full() {
  return Status::ResourceExhausted("the heap is full while working on a data frame");
}

// Values that are made row by row, before it is known how many there will be; native.
class Rows {
 public:
  explicit Rows(size_t columns) : columns_(columns) {}

  std::span<int64_t> Add() {
    values_.resize(values_.size() + columns_);
    return {values_.data() + values_.size() - columns_, columns_};
  }
  void DropLast() { values_.resize(values_.size() - columns_); }

  size_t count() const { return values_.size() / columns_; }

  // Puts the rows into that piece of the frame. False: the heap is full.
  bool Store(Mutator& mutator, DataFrame& frame, size_t piece) const {
    for (size_t column = 0; column < columns_; ++column) {
      Values* values = Values::Make(mutator, count());
      if (values == nullptr) return false;
      for (size_t i = 0; i < count(); ++i) (*values)[i] = values_[i * columns_ + column];
      (*frame.Of(column))[piece] = values;
    }
    return true;
  }

 private:
  const size_t columns_;
  std::vector<int64_t> values_;
};

// Calls work(mutator, piece) for every piece.
Status ForPieces(const Threads& threads, size_t pieces,
                 const std::function<bool(Mutator&, size_t)>& work) {
  return RunTasks(threads.mutator, threads.count, pieces, [&](Mutator& mutator, size_t piece) {
    mutator.Safepoint();
    return work(mutator, piece) ? Status::Ok() : Full();
  });
}

// Adds to the group of that key. False: the heap is full.
bool AddTo(Mutator& mutator, Groups& groups, int64_t key, const Total& more) {
  Group* group = groups.Find(key);
  if (group == nullptr) {
    group = MakeGarbageCollected<Group>(mutator, key);
    if (group == nullptr || !groups.Insert(mutator, group)) return false;
  }
  group->total.Add(more);
  return true;
}

Status IndexOf(const Threads& threads, const DataFrame& frame, size_t key,
               Persistent<Places>& index) {
  index = Places::Make(threads.mutator);
  if (!index) return Full();
  for (size_t piece = 0; piece < frame.pieces(); ++piece) {
    const size_t rows = frame.RowsOf(piece);
    for (Row row(frame, piece); row.index < rows; ++row.index) {
      auto* place =
          MakeGarbageCollected<Place>(threads.mutator, row[key], static_cast<uint32_t>(piece),
                                      static_cast<uint32_t>(row.index));
      if (place == nullptr || !index->Insert(threads.mutator, place)) return Full();
    }
  }
  return Status::Ok();
}

}  // namespace

DataFrame* DataFrame::Make(Mutator& mutator, size_t columns, size_t pieces) {
  assert(columns <= kMaxColumns && "a Row has no room for more");
  auto* all = Array<Member<Column>>::Make(mutator, columns);
  for (size_t i = 0; all != nullptr && i < columns; ++i) {
    Column* column = Column::Make(mutator, pieces);
    if (column == nullptr) return nullptr;
    (*all)[i] = column;
  }
  return all == nullptr ? nullptr : MakeGarbageCollected<DataFrame>(mutator, all);
}

uint64_t DataFrame::CountRows() const {
  uint64_t rows = 0;
  for (size_t piece = 0; piece < pieces(); ++piece) rows += RowsOf(piece);
  return rows;
}

void Total::Add(const Total& other) {
  count += other.count;
  sum += other.sum;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
}

Status MakeFrame(const Threads& threads, size_t columns, uint64_t rows,
                 const std::function<void(uint64_t, std::span<int64_t>)>& fill,
                 Persistent<DataFrame>& made) {
  constexpr size_t kPiece = DataFrame::kRowsPerPiece;
  const size_t pieces = (rows + kPiece - 1) / kPiece;
  const Persistent<DataFrame> result(threads.mutator.heap(),
                                     DataFrame::Make(threads.mutator, columns, pieces));
  if (!result) return Full();
  Status status = ForPieces(threads, pieces, [&](Mutator& mutator, size_t piece) {
    Rows values(columns);
    const uint64_t end = std::min<uint64_t>(rows, (piece + 1) * kPiece);
    for (uint64_t row = piece * kPiece; row < end; ++row) fill(row, values.Add());
    return values.Store(mutator, *result, piece);
  });
  if (status.ok()) made = result;
  return status;
}

Status Derive(const Threads& threads, const Persistent<DataFrame>& frame,
              const std::function<int64_t(const Row&)>& value, Persistent<DataFrame>& made) {
  const size_t columns = frame->columns();
  const size_t pieces = frame->pieces();
  const Persistent<DataFrame> result(threads.mutator.heap(),
                                     DataFrame::Make(threads.mutator, columns + 1, pieces));
  if (!result) return Full();
  for (size_t i = 0; i < columns; ++i) result->SetColumn(i, frame->Of(i));
  Status status = ForPieces(threads, pieces, [&](Mutator& mutator, size_t piece) {
    const DataFrame& from = *frame;
    Values* values = Values::Make(mutator, from.RowsOf(piece));
    if (values == nullptr) return false;
    for (Row row(from, piece); row.index < values->length(); ++row.index) {
      (*values)[row.index] = value(row);
    }
    (*result->Of(columns))[piece] = values;
    return true;
  });
  if (status.ok()) made = result;
  return status;
}

Status Select(const Threads& threads, const Persistent<DataFrame>& frame, size_t more,
              const std::function<bool(const Row&, std::span<int64_t>)>& wanted,
              Persistent<DataFrame>& made) {
  const size_t columns = frame->columns();
  const size_t pieces = frame->pieces();
  const Persistent<DataFrame> result(threads.mutator.heap(),
                                     DataFrame::Make(threads.mutator, columns + more, pieces));
  if (!result) return Full();
  Status status = ForPieces(threads, pieces, [&](Mutator& mutator, size_t piece) {
    const DataFrame& from = *frame;
    const size_t rows = from.RowsOf(piece);
    Rows values(columns + more);
    for (Row row(from, piece); row.index < rows; ++row.index) {
      const std::span<int64_t> to = values.Add();
      if (!wanted(row, to.subspan(columns))) {
        values.DropLast();
        continue;
      }
      for (size_t i = 0; i < columns; ++i) to[i] = row[i];
    }
    return values.Store(mutator, *result, piece);
  });
  if (status.ok()) made = result;
  return status;
}

Status Join(const Threads& threads, const Persistent<DataFrame>& frame,
            const std::function<int64_t(const Row&)>& key, const Persistent<DataFrame>& other,
            size_t other_key, Persistent<DataFrame>& made) {
  Persistent<Places> index(threads.mutator.heap());
  if (Status status = IndexOf(threads, *other, other_key, index); !status.ok()) return status;
  return Select(
      threads, frame, other->columns(),
      [&](const Row& row, std::span<int64_t> more) {
        const Place* place = index->Find(key(row));
        if (place == nullptr) return false;
        Row match(*other, place->piece);
        match.index = place->index;
        for (size_t i = 0; i < more.size(); ++i) more[i] = match[i];
        return true;
      },
      made);
}

Status GroupBy(const Threads& threads, const Persistent<DataFrame>& frame,
               const std::function<int64_t(const Row&)>& key,
               const std::function<int64_t(const Row&)>& value, Persistent<Groups>& made) {
  const size_t parts = std::max<size_t>(std::min<size_t>(threads.count, frame->pieces()), 1);
  const Persistent<SharedGroups> shared(threads.mutator.heap(),
                                        SharedGroups::Make(threads.mutator, parts));
  if (!shared) return Full();
  for (size_t part = 0; part < parts; ++part) {
    Groups* groups = Groups::Make(threads.mutator);
    if (groups == nullptr) return Full();
    (*shared)[part] = groups;
  }
  Status status =
      RunTasks(threads.mutator, threads.count, parts, [&](Mutator& mutator, size_t part) {
        const DataFrame& from = *frame;
        Groups& groups = *(*shared)[part];
        for (size_t piece = part; piece < from.pieces(); piece += parts) {
          mutator.Safepoint();
          const size_t rows = from.RowsOf(piece);
          for (Row row(from, piece); row.index < rows; ++row.index) {
            if (!AddTo(mutator, groups, key(row), Total::Of(value(row)))) return Full();
          }
        }
        return Status::Ok();
      });
  if (!status.ok()) return status;
  Groups* total = (*shared)[0];
  for (size_t part = 1; part < parts; ++part) {
    bool fits = true;
    (*shared)[part]->ForEach([&](const Group& group) {
      fits = fits && AddTo(threads.mutator, *total, group.key, group.total);
    });
    if (!fits) return Full();
  }
  made = total;
  return Status::Ok();
}

}  // namespace tandem::workloads::frames
