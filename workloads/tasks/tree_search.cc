// Tree search: all ways to put queens on a board row by row so that none attacks another. The tree
// of positions is kept, then counted.
//
// A task for each position of the first rows, nested: a position's task waits for its children's.
// Below these rows a task builds the subtree by itself. The checksum is the number of solutions and
// that of positions, both of which are known.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "workloads/tasks/task_workload.h"

namespace tandem::workloads {

namespace tasks {
namespace {

struct Position : GarbageCollected<Position> {
  explicit Position(uint32_t c) : column(c) {}
  void Trace(Visitor* visitor) const {
    visitor->Trace(first_child);
    visitor->Trace(next_sibling);
  }
  Member<Position> first_child;
  Member<Position> next_sibling;
  const uint32_t column;  // of the last queen
};

struct Tally : GarbageCollected<Tally> {
  Tally(uint64_t s, uint64_t p) : solutions(s), positions(p) {}
  const uint64_t solutions;
  const uint64_t positions;
};

// What is attacked in the next row, a bit a column.
struct Attacks {
  uint32_t columns = 0;
  uint32_t left = 0;
  uint32_t right = 0;

  uint32_t Free(uint32_t queens) const {
    return ~(columns | left | right) & ((uint32_t{1} << queens) - 1);
  }
  Attacks After(uint32_t column) const {
    const uint32_t bit = uint32_t{1} << column;
    return {columns | bit, (left | bit) << 1, (right | bit) >> 1};
  }
};

struct Board {
  uint32_t queens;
  uint32_t task_rows;
  uint32_t row = 0;
  Attacks attacks = {};

  Board After(uint32_t column) const { return {queens, task_rows, row + 1, attacks.After(column)}; }
};

// Calls each(column) for the columns where the next queen may stand, from the last to the first.
template <typename Each>
void ForEachMove(const Board& board, const Each& each) {
  if (board.row == board.queens) return;
  for (uint32_t free = board.attacks.Free(board.queens); free != 0;) {
    const auto column = static_cast<uint32_t>(31 - __builtin_clz(free));
    free &= ~(uint32_t{1} << column);
    each(column);
  }
}

uint64_t CountPositions(const Board& board) {
  uint64_t positions = 1;
  ForEachMove(board, [&](uint32_t column) { positions += CountPositions(board.After(column)); });
  return positions;
}

Position* Expand(Context& context, uint32_t column, Board board) {
  auto* position = context.Make<Position>(column);
  const auto adopt = [position](Position* child) {
    child->next_sibling = position->first_child;
    position->first_child = child;
  };
  if (board.row >= board.task_rows) {
    ForEachMove(board, [&](uint32_t move) { adopt(Expand(context, move, board.After(move))); });
    return position;
  }
  std::vector<Future<Position>> children;
  ForEachMove(board, [&](uint32_t move) {
    children.push_back(context.Remote(Expand, move, board.After(move)));
  });
  for (const Future<Position>& child : children) adopt(context.Get(child));
  return position;
}

void Add(Mutator& mutator, const Position* position, uint32_t rows_left, uint64_t* solutions,
         uint64_t* positions) {
  ++*positions;
  if (rows_left == 0) ++*solutions;
  if (rows_left == 4) mutator.Safepoint();  // a walk of warm pages has no other
  for (const Position* child = position->first_child; child != nullptr;
       child = child->next_sibling) {
    Add(mutator, child, rows_left - 1, solutions, positions);
  }
}

Tally* Count(Context& context, Position* position, uint32_t rows_left, uint32_t task_rows) {
  uint64_t solutions = 0, positions = 0;
  if (task_rows == 0 || rows_left == 0) {
    Add(context.mutator(), position, rows_left, &solutions, &positions);
    return context.Make<Tally>(solutions, positions);
  }
  std::vector<Future<Tally>> parts;
  for (Position* child = position->first_child; child != nullptr; child = child->next_sibling) {
    parts.push_back(context.Remote(Count, child, rows_left - 1, task_rows - 1));
  }
  for (const Future<Tally>& part : parts) {
    const Tally* tally = context.Get(part);
    solutions += tally->solutions;
    positions += tally->positions;
  }
  return context.Make<Tally>(solutions, positions + 1);
}

class TreeSearch : public TaskWorkload {
 public:
  TreeSearch() : TaskWorkload("tree-search", "Nested tasks: all solutions of the queens puzzle") {
    options().AddCount("queens", "Queens, and rows and columns of the board", &queens_, 1, 16);
    options().AddCount("task-rows", "Rows whose positions are tasks", &task_rows_, 0, 16);
  }

  void SetScale(Scale scale) override {
    queens_ = scale == Scale::kTiny ? 11 : scale == Scale::kSmall ? 12 : 13;
  }

  Status Prepare(Progress&) override {
    positions_ = CountPositions(EmptyBoard());
    return Status::Ok();
  }

  uint64_t LiveBytes() const override { return positions_ * ObjectBytes(sizeof(Position)); }

 private:
  StatusOr<std::string> RunTasks(Session& session, Context& context) override {
    Phase measured(session, "measured");
    Position* root = nullptr;
    {
      Phase search(session, "search");
      root = context.Get(context.Remote(Expand, uint32_t{0}, EmptyBoard()));
    }
    Phase count(session, "count");
    const auto task_rows = static_cast<uint32_t>(task_rows_);
    const Tally* tally =
        context.Get(context.Remote(Count, root, static_cast<uint32_t>(queens_), task_rows));
    return fmt::format("{} of {}", tally->solutions, tally->positions);
  }

  Board EmptyBoard() const {
    return {static_cast<uint32_t>(queens_), static_cast<uint32_t>(task_rows_)};
  }

  uint64_t queens_ = 0;
  uint64_t task_rows_ = 4;
  uint64_t positions_ = 0;
};

}  // namespace
}  // namespace tasks

std::unique_ptr<Workload> MakeTreeSearch() { return std::make_unique<tasks::TreeSearch>(); }

}  // namespace tandem::workloads
