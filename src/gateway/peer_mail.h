// SPDX-License-Identifier: Apache-2.0
// PeerMail: how the data shards of a process reach each other: a mailbox for each ordered pair of
// them (2 KiB a pair) and a waker for each. Made before the shards, outlives them; what nobody took
// goes with it. Knows no thread: `post` is the writing shard's, `attach` and `open` are the reading
// shard's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/connection_mail.h"
#include "gateway/lease_mail.h"
#include "gateway/ticket_mail.h"
#include "io/io.h"
#include "shard/mailbox.h"
#include "shard/shard.h"

namespace leat::gateway {

class PeerMail {
 public:
  // REQUIRES: shards > 0.
  explicit PeerMail(std::uint32_t shards);
  PeerMail(const PeerMail&) = delete;
  PeerMail& operator=(const PeerMail&) = delete;
  ~PeerMail();

  std::uint32_t shards() const { return shards_; }

  // Gives `reader` the mailboxes of all others.
  void attach(shard::Shard& reader, shard::MessageHandler& handler);
  // From now on what is posted to the shard wakes it; what came before is read at once. To be
  // called right before its loop begins. `waker` outlives the writers' last post.
  void open(std::uint32_t reader, io::Waker& waker);
  // False: the mailbox is full, and the mail is left.
  bool post(std::uint32_t from, std::uint32_t to, std::unique_ptr<LeaseMail>& mail);
  // The same; they leave room for that kind.
  bool post(std::uint32_t from, std::uint32_t to, std::unique_ptr<TicketMail>& mail);
  bool post(std::uint32_t from, std::uint32_t to, std::unique_ptr<ConnectionMail>& mail);

 private:
  template <class Mail>
  bool post_owned(std::uint32_t from, std::uint32_t to, std::unique_ptr<Mail>& mail,
                  std::size_t spare);
  shard::Mailbox& mailbox(std::uint32_t from, std::uint32_t to) {
    return *mailboxes_[std::size_t{from} * shards_ + to];
  }

  std::uint32_t shards_;
  std::vector<std::unique_ptr<shard::Mailbox>> mailboxes_;  // by writer, then by reader
  std::unique_ptr<std::atomic<io::Waker*>[]> wakers_;       // null: its loop has not begun
};

}  // namespace leat::gateway
