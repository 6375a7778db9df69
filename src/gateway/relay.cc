// SPDX-License-Identifier: Apache-2.0
#include "gateway/relay.h"

#include <algorithm>
#include <cstring>

#include "proto/http1_write.h"
#include "proto/json_value.h"

namespace leat::gateway {

namespace {

using dialect::ChatKind;

constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";
constexpr std::string_view kSeamComment = ": leat-continued\n\n";
constexpr std::size_t kCostedBytesUsual = 4'096;
constexpr std::size_t kFrameBytes = proto::kChunkHeaderBytesMax + proto::kChunkEnd.size();

// A chunk header for a payload of `size` bytes, left-aligned at `to`; its length.
std::size_t put_chunk_header(char* to, std::size_t size) {
  char reserve[proto::kChunkHeaderBytesMax];
  const std::size_t length = proto::write_chunk_header(reserve, static_cast<std::uint32_t>(size));
  std::memcpy(to, reserve + sizeof reserve - length, length);
  return length;
}

void write_framed_to(net::Stream& client, bool chunked, std::string_view bytes) {
  if (!chunked) return client.write(bytes);
  char* place = client.prepare(bytes.size() + kFrameBytes);
  std::size_t size = put_chunk_header(place, bytes.size());
  std::memcpy(place + size, bytes.data(), bytes.size());
  size += bytes.size();
  std::memcpy(place + size, proto::kChunkEnd.data(), proto::kChunkEnd.size());
  client.commit(size + proto::kChunkEnd.size());
}

}  // namespace

void Relay::start(const RelayOptions& options, const dialect::ChatIdentity& identity) {
  options_ = options;
  has_notes_ = options.so_far != nullptr || options.heard != nullptr;
  reader_ = proto::SseReader(proto::SseLimits{options.event_bytes_max});
  classifier_.reset();
  normaliser_.reset();
  if (options.face == dialect::Face::kOpenRouter) {
    normaliser_ = std::make_unique<dialect::ChatNormaliser>(identity, options.form);
  }
  client_ = nullptr;
  held_.reset();
  run_ = {};
  usage_ = {};
  error_ = {};
  events_ = content_events_ = content_bytes_ = bytes_ = 0;
  native_finish_.set({});
  upstream_id_.set({});
  finish_seen_ = is_speaking_ = false;
}

RelayStep Relay::read(std::string_view bytes, RelayOwner& owner) {
  bytes_ += bytes.size();
  if (bytes_ > options_.stream_bytes_max) return RelayStep::kTooLarge;
  slice_ = bytes;
  reader_.feed(bytes);
  proto::SseEvent event;
  RelayStep step = RelayStep::kGoOn;
  while (step == RelayStep::kGoOn) {
    const proto::SseNext next = reader_.next(event);
    if (next == proto::SseNext::kMore) break;
    step = next == proto::SseNext::kTooLarge ? RelayStep::kTooLarge : take(event, owner);
  }
  flush_run();
  return step;
}

RelayStep Relay::read_end(RelayOwner& owner) {
  slice_ = {};
  proto::SseEvent event;
  if (!reader_.finish(event)) return RelayStep::kGoOn;
  const RelayStep step = take(event, owner);
  // It had no blank line; ours must, or the next event would run into it.
  if (step == RelayStep::kGoOn && normaliser_ == nullptr && is_committed()) write_framed("\n\n");
  return step;
}

RelayStep Relay::take(const proto::SseEvent& event, RelayOwner& owner) {
  if (event.comment_only()) {
    // A provider's keep-alive. Before the commit it is no news to anybody.
    if (is_committed()) pass_on(event.raw);
    return RelayStep::kGoOn;
  }
  const dialect::ChatEvent chat = classifier_.classify(event.data);
  if (chat.has_usage) usage_.update(chat.usage);
  switch (chat.kind) {
    case ChatKind::kDone:
      return RelayStep::kDone;
    case ChatKind::kError:
      error_ = chat.error;
      return RelayStep::kError;
    case ChatKind::kInvalid:
      return RelayStep::kInvalid;
    case ChatKind::kUsageOnly:
      // On the OpenRouter face it comes at the end, in our shape (openrouter-api.md 3, item 4).
      note(chat, event.data);
      if (normaliser_ == nullptr && options_.wants_usage) show(event, chat, owner);
      return RelayStep::kGoOn;
    case ChatKind::kFinish:
      finish_seen_ = true;
      native_finish_.set(chat.finish_reason);
      break;
    case ChatKind::kContent:
    case ChatKind::kEmpty:
      break;
  }
  content_events_ += chat.has_content ? 1 : 0;
  is_speaking_ =
      chat.speech == dialect::Speech::kText || chat.speech == dialect::Speech::kReasoning;
  content_bytes_ += chat.content_bytes;
  if (!is_committed() && chat.is_content()) {
    const auto id = proto::json_find(event.data, "id");
    if (id) upstream_id_.set(proto::json_raw_string(*id).value_or(std::string_view()));
    commit(owner);
  }
  // The client has its first role already.
  if (!is_committed() && options_.continues) return RelayStep::kGoOn;
  ++events_;
  if (normaliser_ != nullptr) {
    if (!write_normalised(event.data, chat)) return RelayStep::kInvalid;
  } else {
    show(event, chat, owner);
  }
  note(chat, event.data);
  if (!is_committed() && held_ && held_->size > options_.held_bytes_max) commit(owner);
  return RelayStep::kGoOn;
}

void Relay::keep_notes(const dialect::ChatEvent& chat, std::string_view data) {
  if (options_.so_far != nullptr) options_.so_far->note(chat);
  if (options_.heard != nullptr) options_.heard->note(chat, data);
}

void Relay::commit(RelayOwner& owner) {
  client_ = &owner.on_commit();
  if (options_.continues) write_framed(kSeamComment);
  if (!held_) return;
  write_framed({held_->data(), held_->size});
  held_.reset();
}

// An event on the OpenAI face: as it is, unless the client wants to know what it costs.
void Relay::show(const proto::SseEvent& event, const dialect::ChatEvent& chat, RelayOwner& owner) {
  if (options_.wants_cost && chat.has_usage && write_costed(event.data, chat, owner)) return;
  pass_on(event.raw);
}

// False: there is no cost to tell.
bool Relay::write_costed(std::string_view data, const dialect::ChatEvent& chat, RelayOwner& owner) {
  const dialect::UsageCost cost = owner.cost_of(usage_);
  if (!cost.is_priced()) return false;
  flush_run();
  char usual[kCostedBytesUsual];
  const std::size_t room = data.size() + dialect::kUsageBytesMax + kFrameBytes;
  BlockRef large;  // for what is rarely so long
  if (room > sizeof usual) large = Block::allocate(room);
  proto::JsonWriter out(large ? std::span(large->data(), room) : std::span<char>(usual));
  out.raw("data: ");
  if (!dialect::write_with_cost(data, chat.usage, cost, out)) return false;
  out.join_lines(0);
  out.raw("\n\n");
  if (is_committed()) {
    write_framed(out.text());
  } else {
    hold(out.text());
  }
  return true;
}

// Neighbours in the slice go out in one piece; what the reader had to collect is only valid now.
void Relay::pass_on(std::string_view raw) {
  if (!is_committed()) return hold(raw);
  if (!run_.empty() && run_.data() + run_.size() == raw.data()) {
    run_ = {run_.data(), run_.size() + raw.size()};
    return;
  }
  flush_run();
  const bool in_slice =
      raw.data() >= slice_.data() && raw.data() + raw.size() <= slice_.data() + slice_.size();
  if (in_slice) {
    run_ = raw;
  } else {
    write_framed(raw);
  }
}

void Relay::flush_run() {
  if (run_.empty()) return;
  const std::string_view run = run_;
  run_ = {};
  write_framed(run);
}

void Relay::write_framed(std::string_view bytes) {
  if (!bytes.empty()) write_framed_to(*client_, options_.chunked, bytes);
}

void Relay::hold(std::string_view bytes) {
  const std::size_t size = held_ ? held_->size : 0;
  if (!held_ || size + bytes.size() > held_->capacity()) {
    BlockRef larger = Block::allocate(std::max<std::size_t>(1024, 2 * (size + bytes.size())));
    if (size != 0) std::memcpy(larger->data(), held_->data(), size);
    larger->size = size;
    held_ = std::move(larger);
  }
  std::memcpy(held_->data() + size, bytes.data(), bytes.size());
  held_->size = size + bytes.size();
}

// False: the event is not what classify() took it for.
bool Relay::write_normalised(std::string_view data, const dialect::ChatEvent& chat) {
  flush_run();
  for (const std::size_t room :
       {dialect::normalised_size_usual(data.size()), dialect::normalised_size_max(data.size())}) {
    std::unique_ptr<char[]> own;  // before the commit only: not on the event path
    if (!is_committed()) own = std::make_unique_for_overwrite<char[]>(room);
    char* place = own ? own.get() : client_->prepare(room + kFrameBytes);
    char* payload = own ? place : place + proto::kChunkHeaderBytesMax;
    proto::JsonWriter out({payload, room});
    const dialect::Normalised result = normaliser_->write_chunk(data, chat, out);
    if (result == dialect::Normalised::kWritten && own) {
      hold(out.text());
    } else if (result == dialect::Normalised::kWritten) {
      std::size_t size = 0;
      if (options_.chunked) size = put_chunk_header(place, out.size());
      std::memmove(place + size, payload, out.size());
      size += out.size();
      if (options_.chunked) {
        std::memcpy(place + size, proto::kChunkEnd.data(), proto::kChunkEnd.size());
        size += proto::kChunkEnd.size();
      }
      client_->commit(size);
    } else if (!own) {
      client_->commit(0);
    }
    if (result != dialect::Normalised::kNoRoom) return result != dialect::Normalised::kInvalid;
  }
  return false;
}

void Relay::write_last_event(const dialect::UsageCost& cost,
                             const dialect::RouterMetadata* metadata) {
  char room[2048];
  if (metadata != nullptr) {
    // Rare and after all that is urgent; what has no room even here is left out.
    const BlockRef large = Block::allocate(sizeof room + dialect::kMetadataBytesMax);
    proto::JsonWriter out({large->data(), sizeof room + dialect::kMetadataBytesMax});
    normaliser_->write_usage_chunk(usage_, cost, out, metadata);
    if (!out.overflowed()) return write_framed(out.text());
    if (!usage_.present()) return;
  }
  proto::JsonWriter out(room);
  normaliser_->write_usage_chunk(usage_, cost, out);
  if (!out.overflowed()) write_framed(out.text());
}

void Relay::write_end(const dialect::UsageCost& cost, const dialect::RouterMetadata* metadata) {
  if (normaliser_ != nullptr && (usage_.present() || metadata != nullptr)) {
    write_last_event(cost, metadata);
  }
  write_framed(kDoneEvent);
  if (options_.chunked) client_->write(proto::kLastChunk);
}

void Relay::write_error(net::Stream& client, bool chunked, dialect::ErrorKind kind,
                        const dialect::ErrorDetail& detail) {
  char room[dialect::kErrorBytesMax];
  proto::JsonWriter out(room);
  dialect::write_error_event(kind, detail, out);
  write_framed_to(client, chunked, out.text());
}

}  // namespace leat::gateway
