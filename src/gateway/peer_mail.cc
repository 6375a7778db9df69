// SPDX-License-Identifier: Apache-2.0
#include "gateway/peer_mail.h"

#include "base/check.h"
#include "gateway/owned_message.h"

namespace leat::gateway {

namespace {

// Requests wait for leases, nobody waits for tickets or connections.
constexpr std::size_t kPlacesForLeases = 64;

}  // namespace

PeerMail::PeerMail(std::uint32_t shards)
    : shards_(shards), wakers_(std::make_unique<std::atomic<io::Waker*>[]>(shards)) {
  LEAT_CHECK(shards > 0);
  mailboxes_.reserve(std::size_t{shards} * shards);
  for (std::uint32_t from = 0; from < shards; ++from) {
    for (std::uint32_t to = 0; to < shards; ++to) {
      // What a shard tells itself needs no mailbox.
      mailboxes_.push_back(from != to ? std::make_unique<shard::Mailbox>() : nullptr);
    }
  }
}

PeerMail::~PeerMail() {
  shard::Message message;
  for (const auto& each : mailboxes_) {
    while (each != nullptr && each->take(message)) discard(message);
  }
}

void PeerMail::attach(shard::Shard& reader, shard::MessageHandler& handler) {
  for (std::uint32_t from = 0; from < shards_; ++from) {
    if (from != reader.index()) reader.attach_mailbox(mailbox(from, reader.index()), handler);
  }
}

// Mail that is posted between the store and the wake is read by the turn that the wake ends; a
// writer that saw no waker yet but posts after that turn asks again by itself (quantity_lease.h).
void PeerMail::open(std::uint32_t reader, io::Waker& waker) {
  wakers_[reader].store(&waker, std::memory_order_release);
  waker.wake();
}

bool PeerMail::post(std::uint32_t from, std::uint32_t to, std::unique_ptr<LeaseMail>& mail) {
  return post_owned(from, to, mail, 0);
}

bool PeerMail::post(std::uint32_t from, std::uint32_t to, std::unique_ptr<TicketMail>& mail) {
  return post_owned(from, to, mail, kPlacesForLeases);
}

bool PeerMail::post(std::uint32_t from, std::uint32_t to, std::unique_ptr<ConnectionMail>& mail) {
  return post_owned(from, to, mail, kPlacesForLeases);
}

template <class Mail>
bool PeerMail::post_owned(std::uint32_t from, std::uint32_t to, std::unique_ptr<Mail>& mail,
                          std::size_t spare) {
  const shard::Message message = message_of(std::move(mail));
  if (!mailbox(from, to).post(message, spare)) {
    mail = owned_of<Mail>(message);
    return false;
  }
  if (io::Waker* const waker = wakers_[to].load(std::memory_order_acquire)) waker->wake();
  return true;
}

}  // namespace leat::gateway
