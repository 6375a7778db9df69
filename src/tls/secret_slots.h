// SPDX-License-Identifier: Apache-2.0
// SecretSlots: secrets that come and go while Leat runs, in locked pages. One thread puts them in;
// any thread reads them, and whichever lets go of one last wipes it, in place and without a lock,
// so that its slot is free for the next. Pages stay until the end of the slots, which is when
// nobody holds a secret of theirs any more.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace leat::tls {

class SecretSlots;

// One secret, for as long as somebody holds it. Immutable.
class Secret {
 public:
  ~Secret();
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  std::string_view view() const { return {data_, size_}; }

 private:
  friend class SecretSlots;
  struct Region;
  Secret(std::shared_ptr<Region> region, std::size_t slot, std::size_t size);

  std::shared_ptr<Region> region_;
  char* data_;
  std::size_t slot_;
  std::size_t size_;
};
using SecretRef = std::shared_ptr<const Secret>;

class SecretSlots {
 public:
  static constexpr std::size_t kSecretMax = 8 * 1024;

  SecretSlots() = default;
  SecretSlots(const SecretSlots&) = delete;
  SecretSlots& operator=(const SecretSlots&) = delete;

  // REQUIRES: kSecretMax at most; the thread that made the others.
  SecretRef put(std::string_view secret);

  // What a secret of any size can be written to before it is put; wiped by put_written(). REQUIRES:
  // as put().
  std::span<char> scratch();
  // The first `size` bytes of scratch().
  SecretRef put_written(std::size_t size);

  // False: a page could not be locked, so a secret may reach swap.
  bool is_locked() const { return locked_; }
  // Of the pages that are held.
  std::size_t bytes() const;

 private:
  std::vector<std::shared_ptr<Secret::Region>> regions_;
  SecretRef scratch_;  // null: none was asked for yet
  bool locked_ = true;
};

}  // namespace leat::tls
