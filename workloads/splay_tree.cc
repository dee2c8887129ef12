#include "workloads/splay_tree.h"

#include <fmt/format.h>

#include "workloads/random.h"

namespace tandem::workloads {

SplayPayload* SplayPayload::Make(Mutator& mutator, uint64_t depth, uint64_t key) {
  SplayPayload* payload = MakeGarbageCollected<SplayPayload>(mutator);
  if (payload == nullptr) return nullptr;
  if (depth > 0) {
    SplayPayload* left = Make(mutator, depth - 1, key);
    SplayPayload* right = left == nullptr ? nullptr : Make(mutator, depth - 1, key);
    if (right == nullptr) return nullptr;
    payload->left_ = left;
    payload->right_ = right;
    return payload;
  }
  Numbers* numbers = Numbers::Make(mutator, kNumbers);
  Text* text = Text::Make(mutator, fmt::format("String for key {} in leaf node", key));
  if (numbers == nullptr || text == nullptr) return nullptr;
  for (uint64_t i = 0; i < kNumbers; ++i) numbers->data()[i] = i;
  payload->numbers_ = numbers;
  payload->text_ = text;
  return payload;
}

uint64_t SplayPayload::Hash() const {
  const SplayPayload* leaf = this;
  while (leaf->left_) leaf = leaf->left_;
  uint64_t hash = HashBytes(leaf->text_->view());
  for (uint64_t i = 0; i < kNumbers; ++i) hash = Mix(hash ^ (*leaf->numbers_)[i]);
  return hash;
}

void SplayTree::Splay(uint64_t key) {
  Node* node = root_;
  if (node == nullptr) return;
  // What turns out to be less or greater than the key goes to the end of one of two trees, whose
  // roots the stack keeps alive meanwhile.
  Node *less_root = nullptr, *less_end = nullptr, *greater_root = nullptr, *greater_end = nullptr;
  while (key != node->key) {
    const bool go_left = key < node->key;
    Node* child = go_left ? node->left : node->right;
    if (child == nullptr) break;
    if (go_left && key < child->key) {
      node->left = child->right;
      child->right = node;
      node = child;
      child = node->left;
    } else if (!go_left && key > child->key) {
      node->right = child->left;
      child->left = node;
      node = child;
      child = node->right;
    }
    if (child == nullptr) break;
    if (go_left) {
      if (greater_root == nullptr) greater_root = node;
      if (greater_end != nullptr) greater_end->left = node;
      greater_end = node;
    } else {
      if (less_root == nullptr) less_root = node;
      if (less_end != nullptr) less_end->right = node;
      less_end = node;
    }
    node = child;
  }
  if (less_end != nullptr) {
    less_end->right = node->left;
    node->left = less_root;
  }
  if (greater_end != nullptr) {
    greater_end->left = node->right;
    node->right = greater_root;
  }
  root_ = node;
}

SplayTree::Node* SplayTree::Find(uint64_t key) {
  Splay(key);
  Node* root = root_;
  return root != nullptr && root->key == key ? root : nullptr;
}

SplayTree::Node* SplayTree::GreatestBelow(uint64_t key) {
  Splay(key);
  Node* node = root_;
  if (node == nullptr || node->key < key) return node;
  node = node->left;
  while (node != nullptr && node->right) node = node->right;
  return node;
}

bool SplayTree::Insert(Mutator& mutator, uint64_t key, SplayPayload* payload) {
  Node* made = MakeGarbageCollected<Node>(mutator, key, payload);
  if (made == nullptr) return false;
  Splay(key);
  if (Node* root = root_; root != nullptr) {
    const bool is_less = root->key < key;
    Member<Node>& towards_made = is_less ? root->right : root->left;
    (is_less ? made->left : made->right) = root;
    (is_less ? made->right : made->left) = towards_made;
    towards_made = nullptr;
  }
  root_ = made;
  return true;
}

SplayTree::Node* SplayTree::Remove(uint64_t key) {
  Node* found = Find(key);
  if (found == nullptr) return nullptr;
  Node* right = found->right;
  if (!found->left) {
    root_ = right;
    return found;
  }
  root_ = found->left;
  Splay(key);  // to the root comes its greatest, which so has nothing on its right
  root_->right = right;
  return found;
}

}  // namespace tandem::workloads
