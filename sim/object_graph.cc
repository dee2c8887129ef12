#include "sim/object_graph.h"

#include <utility>

namespace tandem::sim {

StatusOr<std::unique_ptr<ObjectGraph>> ObjectGraph::Create(uint64_t heap_bytes) {
  auto index = base::OsMemory::Reserve(heap_bytes / base::kPageSize * sizeof(uint32_t), 0,
                                       "the simulated heap's objects");
  if (!index.ok()) return index.status();
  auto graph = std::make_unique<ObjectGraph>();
  graph->index_ = std::move(*index);
  return graph;
}

ObjectGraph::Page& ObjectGraph::PageAt(PageIndex page) {
  uint32_t& at = index()[page];
  if (at == 0) {
    pages_.emplace_back();
    at = static_cast<uint32_t>(pages_.size());
  }
  return pages_[at - 1];
}

bool ObjectGraph::IsOccupied(Granule first, uint64_t count) const {
  const Granule end = first + count;
  for (Granule granule = first; granule < end;) {
    if (index()[granule / kPageGranules] == 0) {
      granule = (granule / kPageGranules + 1) * kPageGranules;
    } else if (Find(granule) != kNoObject) {
      return true;
    } else {
      ++granule;
    }
  }
  return false;
}

void ObjectGraph::Add(Granule granule, uint64_t granules, bool leaf, uint32_t marked_in) {
  for (Granule g = granule; g < granule + granules; ++g) {
    if (const ObjectId there = Find(g); there != kNoObject) Remove(there);
  }
  ObjectId id;
  if (free_.empty()) {
    id = static_cast<ObjectId>(objects_.size());
    objects_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Object& object = objects_[id];
  object.granule = granule;
  object.granules = granules;
  object.leaf = leaf;
  object.marked_in = marked_in;
  Fill(object, id);
  for (PageIndex page = object.first_page(); page <= object.last_page(); ++page) {
    ++PageAt(page).objects;
  }
  bytes_ += granules * heap::kGranuleBytes;
}

void ObjectGraph::Fill(const Object& object, ObjectId id) {
  const Granule end = object.granule + object.granules;
  for (Granule g = object.granule; g < end;) {
    Page& page = PageAt(g / kPageGranules);
    do {
      page.object[g % kPageGranules] = id;
      ++g;
    } while (g < end && g % kPageGranules != 0);
  }
}

void ObjectGraph::Remove(ObjectId id) {
  Object& object = objects_[id];
  Fill(object, kNoObject);
  for (PageIndex page = object.first_page(); page <= object.last_page(); ++page) {
    --PageAt(page).objects;
  }
  bytes_ -= object.granules * heap::kGranuleBytes;
  object = {};
  free_.push_back(id);
}

Granule ObjectGraph::Store(Object& object, uint64_t word, Granule target) {
  if (word >= 2 * object.granules) return kNullGranule;
  if (word >= object.words.size()) {
    if (target == kNullGranule) return kNullGranule;
    object.words.resize(word + 1, kNullGranule);
  }
  return std::exchange(object.words[word], target);
}

ObjectGraph::Swept ObjectGraph::Sweep(uint32_t cycle, const std::function<void(PageIndex)>& dead) {
  Swept swept;
  for (ObjectId id = 1; id < objects_.size(); ++id) {
    const Object& object = objects_[id];
    if (object.granules == 0 || object.marked_in == cycle) continue;
    const PageIndex first = object.first_page();
    const PageIndex last = object.last_page();
    swept.freed_bytes += object.granules * heap::kGranuleBytes;
    Remove(id);
    for (PageIndex page = first; page <= last; ++page) {
      if (PageAt(page).objects > 0) continue;
      dead(page);
      ++swept.dead_pages;
    }
  }
  return swept;
}

}  // namespace tandem::sim
