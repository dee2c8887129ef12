// Interleaving: an explicit-state explorer for small models of concurrent protocols.
//
// A model is a state of a few dozen bytes and a function that tells every atomic step that some
// actor may take next. ExploreInterleavings walks all states that any schedule can reach, in
// breadth-first order, so that what it reports is a shortest run. It reports
//   - a state, or the step into it, that breaks an invariant; else
//   - a state from which no schedule at all leads to the end: a deadlock, or a livelock that
//     only more of the same could follow.
// Interleavings are sequentially consistent: memory orders are for the race detector's tests and
// for the reader of the code.
//
// A Model has
//   State                              trivially copyable, without padding, compared bytewise
//   State Initial() const
//   void ForEachStep(const State&, F visit)   calls visit(next, step) for each possible step
//   const char* Violation(const State&) const     null, or which invariant is broken
//   bool IsEnd(const State&) const
//   std::string Describe(step) const
// One thread; deterministic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tandem::testing {

struct Exploration {
  size_t states = 0;
  size_t steps = 0;
  std::string violation;           // empty: the model is right
  std::vector<std::string> trace;  // the steps that lead to it
  bool complete = true;            // false: gave up at the limit of states

  std::string Report() const {
    std::string text = violation.empty() ? "no violation" : violation;
    for (const std::string& step : trace) text += "\n  " + step;
    return text + "\n" + std::to_string(states) + " states, " + std::to_string(steps) + " steps";
  }
};

// The states seen so far, numbered in the order of their discovery.
template <typename State>
class StateSet {
  static_assert(std::has_unique_object_representations_v<State>, "states are compared bytewise");

 public:
  StateSet() : table_(size_t{1} << 12, kNone) {}

  size_t size() const { return states_.size(); }
  const State& operator[](size_t number) const { return states_[number]; }

  // The state's number, and whether it is new.
  std::pair<uint32_t, bool> Insert(const State& state) {
    if (2 * states_.size() >= table_.size()) Grow();
    uint32_t& place = Find(state);
    if (place != kNone) return {place, false};
    place = static_cast<uint32_t>(states_.size());
    states_.push_back(state);
    return {place, true};
  }

 private:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  static size_t Hash(const State& state) {
    uint64_t words[(sizeof(State) + 7) / 8] = {};
    std::memcpy(words, &state, sizeof(State));
    uint64_t hash = 0;
    for (const uint64_t word : words) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 32;
    }
    return static_cast<size_t>(hash);
  }

  uint32_t& Find(const State& state) {
    const size_t mask = table_.size() - 1;
    size_t i = Hash(state) & mask;
    while (table_[i] != kNone && std::memcmp(&states_[table_[i]], &state, sizeof(State)) != 0) {
      i = (i + 1) & mask;
    }
    return table_[i];
  }

  void Grow() {
    table_.assign(2 * table_.size(), kNone);
    for (uint32_t number = 0; number < states_.size(); ++number) Find(states_[number]) = number;
  }

  std::vector<State> states_;
  std::vector<uint32_t> table_;  // open addressing
};

template <typename Model>
Exploration ExploreInterleavings(const Model& model, size_t max_states = 20'000'000) {
  using State = typename Model::State;
  struct Edge {
    uint32_t from, to;
  };
  StateSet<State> seen;
  std::vector<uint32_t> parent{0};
  std::vector<Edge> edges;
  Exploration result;

  const auto report = [&](uint32_t number, std::string violation) {
    result.violation = std::move(violation);
    std::vector<uint32_t> path{number};
    while (path.back() != 0) path.push_back(parent[path.back()]);
    for (size_t i = path.size() - 1; i > 0; --i) {
      bool found = false;
      model.ForEachStep(seen[path[i]], [&](const State& next, const auto& step) {
        if (found || std::memcmp(&next, &seen[path[i - 1]], sizeof(State)) != 0) return;
        found = true;
        result.trace.push_back(model.Describe(step));
      });
    }
  };

  seen.Insert(model.Initial());
  uint32_t broken = 0;
  const char* violation = model.Violation(seen[0]);
  for (uint32_t at = 0; at < seen.size() && violation == nullptr; ++at) {
    if (seen.size() > max_states) {
      result.complete = false;
      break;
    }
    const State state = seen[at];  // a copy: the set grows under it
    model.ForEachStep(state, [&](const State& next, const auto&) {
      const auto [number, is_new] = seen.Insert(next);
      if (number != at) edges.push_back({at, number});
      if (!is_new) return;
      parent.push_back(at);
      if (violation != nullptr) return;
      violation = model.Violation(next);
      broken = number;
    });
  }
  result.states = seen.size();
  result.steps = edges.size();
  if (violation != nullptr) {
    report(broken, violation);
    return result;
  }
  if (!result.complete) return result;

  // Backwards from the ends, over the edges sorted by their target.
  std::vector<uint32_t> first(seen.size() + 1, 0);
  for (const Edge& edge : edges) ++first[edge.to + 1];
  for (size_t i = 0; i < seen.size(); ++i) first[i + 1] += first[i];
  std::vector<uint32_t> sources(edges.size());
  {
    std::vector<uint32_t> next(first.begin(), first.end() - 1);
    for (const Edge& edge : edges) sources[next[edge.to]++] = edge.from;
  }
  std::vector<char> ends(seen.size(), 0);
  std::vector<uint32_t> todo;
  for (uint32_t number = 0; number < seen.size(); ++number) {
    if (!model.IsEnd(seen[number])) continue;
    ends[number] = 1;
    todo.push_back(number);
  }
  while (!todo.empty()) {
    const uint32_t at = todo.back();
    todo.pop_back();
    for (uint32_t i = first[at]; i < first[at + 1]; ++i) {
      if (std::exchange(ends[sources[i]], 1) == 0) todo.push_back(sources[i]);
    }
  }
  for (uint32_t number = 0; number < seen.size(); ++number) {
    if (ends[number] != 0) continue;
    report(number, "the end cannot be reached any more");
    break;
  }
  return result;
}

}  // namespace tandem::testing
