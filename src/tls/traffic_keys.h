// SPDX-License-Identifier: Apache-2.0
// TrafficKeys: one direction of TLS 1.3's record protection (RFC 8446, 5.2, 5.3 and 7): the traffic
// secret, the key and nonce that follow from it, the number of the coming record. Seals and opens
// records where they lie. All that it is follows from a TrafficState, which is plain data and may
// go to another shard. Between the .cc files of this layer and its tests.
#pragma once

#include <openssl/aead.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace leat::tls {

inline constexpr std::size_t kRecordHeaderBytes = 5;
inline constexpr std::size_t kRecordTagBytes = 16;
// A record's length but for its plaintext: header, content type, tag.
inline constexpr std::size_t kRecordExtraBytes = kRecordHeaderBytes + 1 + kRecordTagBytes;

enum class ContentType : std::uint8_t { kAlert = 21, kHandshake = 22, kData = 23 };

// As registered for TLS 1.3.
enum class Suite : std::uint16_t {
  kAes128GcmSha256 = 0x1301,
  kAes256GcmSha384 = 0x1302,
  kChaCha20Poly1305Sha256 = 0x1303
};
bool is_known_suite(std::uint16_t number);

struct TrafficState {
  Suite suite = Suite::kAes128GcmSha256;
  std::array<std::uint8_t, 48> secret{};  // of the size of the suite's hash, zeros behind it
  std::uint64_t sequence = 0;             // of the coming record
};

class TrafficKeys {
 public:
  explicit TrafficKeys(const TrafficState& state);
  // Wipes all that it knew.
  ~TrafficKeys();
  TrafficKeys(const TrafficKeys&) = delete;
  TrafficKeys& operator=(const TrafficKeys&) = delete;

  const TrafficState& state() const { return state_; }
  std::uint64_t sequence() const { return state_.sequence; }

  // Writes a record of plain.size() + kRecordExtraBytes to `record`. The plaintext stands in its
  // place already, kRecordHeaderBytes into the record, or does not overlap with it.
  // REQUIRES: at most 2^14 bytes of plaintext.
  void seal(ContentType type, std::span<const char> plain, char* record);

  // Opens a whole record, header and all, in place: the size of what is there now behind the
  // header, content type and padding included; none if it is not what the peer sealed (the record
  // is zeroed then).
  std::optional<std::size_t> open(std::span<char> record);

  // To the next generation of the secret; records count from zero (RFC 8446, 7.2).
  void update();

 private:
  std::array<std::uint8_t, 12> next_nonce();
  void derive();
  void forget_key();

  TrafficState state_;
  std::array<std::uint8_t, 12> iv_;
  EVP_AEAD_CTX aead_;
};

}  // namespace leat::tls
