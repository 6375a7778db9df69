// SPDX-License-Identifier: Apache-2.0
#include "tls/traffic_keys.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>
#include <openssl/mem.h>

#include <cstring>
#include <string_view>

#include "base/check.h"

namespace leat::tls {

namespace {

struct SuiteParts {
  const EVP_AEAD* aead;
  const EVP_MD* hash;
};

SuiteParts parts_of(Suite suite) {
  switch (suite) {
    case Suite::kAes128GcmSha256:
      return {EVP_aead_aes_128_gcm(), EVP_sha256()};
    case Suite::kAes256GcmSha384:
      return {EVP_aead_aes_256_gcm(), EVP_sha384()};
    case Suite::kChaCha20Poly1305Sha256:
      return {EVP_aead_chacha20_poly1305(), EVP_sha256()};
  }
  LEAT_UNREACHABLE("a suite that is not of TLS 1.3");
}

// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
void expand_label(const EVP_MD* hash, std::span<const std::uint8_t> secret, std::string_view label,
                  std::span<std::uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  std::array<std::uint8_t, 32> info{};
  LEAT_CHECK(4 + kPrefix.size() + label.size() <= info.size());
  std::size_t size = 0;
  info[size++] = static_cast<std::uint8_t>(out.size() >> 8);
  info[size++] = static_cast<std::uint8_t>(out.size());
  info[size++] = static_cast<std::uint8_t>(kPrefix.size() + label.size());
  for (const std::string_view part : {kPrefix, label}) {
    std::memcpy(info.data() + size, part.data(), part.size());
    size += part.size();
  }
  info[size++] = 0;
  LEAT_CHECK(HKDF_expand(out.data(), out.size(), hash, secret.data(), secret.size(), info.data(),
                         size) == 1);
}

}  // namespace

bool is_known_suite(std::uint16_t number) {
  return number >= static_cast<std::uint16_t>(Suite::kAes128GcmSha256) &&
         number <= static_cast<std::uint16_t>(Suite::kChaCha20Poly1305Sha256);
}

TrafficKeys::TrafficKeys(const TrafficState& state) : state_(state) {
  derive();
}

TrafficKeys::~TrafficKeys() {
  forget_key();
  OPENSSL_cleanse(&state_, sizeof state_);
}

void TrafficKeys::forget_key() {
  EVP_AEAD_CTX_cleanup(&aead_);
  // The key's schedule stands in the context itself; not every suite's clean-up wipes it.
  OPENSSL_cleanse(&aead_, sizeof aead_);
  OPENSSL_cleanse(iv_.data(), iv_.size());
}

void TrafficKeys::derive() {
  const SuiteParts parts = parts_of(state_.suite);
  const std::span secret(state_.secret.data(), EVP_MD_size(parts.hash));
  std::array<std::uint8_t, 32> key;
  const std::size_t key_size = EVP_AEAD_key_length(parts.aead);
  expand_label(parts.hash, secret, "key", {key.data(), key_size});
  expand_label(parts.hash, secret, "iv", iv_);
  LEAT_CHECK(
      EVP_AEAD_CTX_init(&aead_, parts.aead, key.data(), key_size, kRecordTagBytes, nullptr) == 1);
  OPENSSL_cleanse(key.data(), key.size());
}

void TrafficKeys::update() {
  const EVP_MD* hash = parts_of(state_.suite).hash;
  const std::span secret(state_.secret.data(), EVP_MD_size(hash));
  std::array<std::uint8_t, 48> next;
  expand_label(hash, secret, "traffic upd", {next.data(), secret.size()});
  std::memcpy(secret.data(), next.data(), secret.size());
  OPENSSL_cleanse(next.data(), next.size());
  state_.sequence = 0;
  forget_key();
  derive();
}

// The number of the record, big-endian, over the last eight bytes of the iv.
std::array<std::uint8_t, 12> TrafficKeys::next_nonce() {
  std::array<std::uint8_t, 12> nonce = iv_;
  std::uint64_t low;
  std::memcpy(&low, nonce.data() + 4, sizeof low);
  low ^= __builtin_bswap64(state_.sequence++);
  std::memcpy(nonce.data() + 4, &low, sizeof low);
  return nonce;
}

void TrafficKeys::seal(ContentType type, std::span<const char> plain, char* record) {
  auto* out = reinterpret_cast<std::uint8_t*>(record);
  const std::size_t body = plain.size() + 1 + kRecordTagBytes;
  out[0] = static_cast<std::uint8_t>(ContentType::kData);
  out[1] = out[2] = 3;
  out[3] = static_cast<std::uint8_t>(body >> 8);
  out[4] = static_cast<std::uint8_t>(body);
  const std::array<std::uint8_t, 12> nonce = next_nonce();
  const auto* in = reinterpret_cast<const std::uint8_t*>(plain.data());
  std::uint8_t* text = out + kRecordHeaderBytes;
  std::size_t size = 0;
  if (in == text) {
    text[plain.size()] = static_cast<std::uint8_t>(type);
    LEAT_CHECK(EVP_AEAD_CTX_seal(&aead_, text, &size, body, nonce.data(), nonce.size(), text,
                                 plain.size() + 1, out, kRecordHeaderBytes) == 1);
    return;
  }
  const auto inner_type = static_cast<std::uint8_t>(type);
  LEAT_CHECK(EVP_AEAD_CTX_seal_scatter(&aead_, text, text + plain.size(), &size,
                                       1 + kRecordTagBytes, nonce.data(), nonce.size(), in,
                                       plain.size(), &inner_type, 1, out, kRecordHeaderBytes) == 1);
}

std::optional<std::size_t> TrafficKeys::open(std::span<char> record) {
  auto* header = reinterpret_cast<std::uint8_t*>(record.data());
  std::uint8_t* body = header + kRecordHeaderBytes;
  const std::size_t body_size = record.size() - kRecordHeaderBytes;
  const std::array<std::uint8_t, 12> nonce = next_nonce();
  std::size_t size = 0;
  if (EVP_AEAD_CTX_open(&aead_, body, &size, body_size, nonce.data(), nonce.size(), body, body_size,
                        header, kRecordHeaderBytes) == 1) {
    return size;
  }
  ERR_clear_error();
  return std::nullopt;
}

}  // namespace leat::tls
