// SPDX-License-Identifier: Apache-2.0
#include "tls/ticket_keys.h"

#include <openssl/aead.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::tls {

namespace {

constexpr std::size_t kNonceBytes = 24;  // long enough to be random (XChaCha20)
constexpr char kLabel[] = "leat session tickets";

// One use of a key; the cipher has nothing worth keeping.
struct Cipher {
  explicit Cipher(const std::array<std::uint8_t, 32>& secret) {
    LEAT_CHECK(EVP_AEAD_CTX_init(&context, EVP_aead_xchacha20_poly1305(), secret.data(),
                                 secret.size(), EVP_AEAD_DEFAULT_TAG_LENGTH, nullptr) == 1);
  }
  ~Cipher() { EVP_AEAD_CTX_cleanup(&context); }
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;
  EVP_AEAD_CTX context;
};

}  // namespace

TicketSeed::~TicketSeed() {
  OPENSSL_cleanse(secret.data(), secret.size());
}

TicketKeys::TicketKeys(const TicketSeed& seed) : chain_(seed.secret), period_end_(seed.begin) {
  step();
  previous_ = current_;
}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(chain_.data(), chain_.size());
  OPENSSL_cleanse(&current_, sizeof current_);
  OPENSSL_cleanse(&previous_, sizeof previous_);
}

void TicketKeys::advance(Instant now) {
  while (now >= period_end_ && period_end_ < kNever) step();
}

// The link of the chain is replaced by the next one, which does not lead back.
void TicketKeys::step() {
  previous_ = current_;
  std::array<std::uint8_t, sizeof chain_ + sizeof current_.secret + sizeof current_.name> bytes;
  LEAT_CHECK(HKDF(bytes.data(), bytes.size(), EVP_sha256(), chain_.data(), chain_.size(), nullptr,
                  0, reinterpret_cast<const std::uint8_t*>(kLabel), sizeof kLabel) == 1);
  const std::uint8_t* from = bytes.data();
  std::memcpy(chain_.data(), from, chain_.size());
  from += chain_.size();
  std::memcpy(current_.secret.data(), from, current_.secret.size());
  from += current_.secret.size();
  std::memcpy(current_.name.data(), from, current_.name.size());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  period_end_ = period_end_ + kPeriod;
}

// Sealed bytes, nonce, name: what is added stands behind, so that `in` may be where `out` is.
std::optional<std::size_t> TicketKeys::seal(std::span<const std::uint8_t> in,
                                            std::span<std::uint8_t> out) const {
  if (out.size() < in.size() + kOverheadBytes) return {};
  std::array<std::uint8_t, kNonceBytes> nonce;
  RAND_bytes(nonce.data(), nonce.size());
  const Cipher cipher(current_.secret);
  std::size_t size = 0;
  if (EVP_AEAD_CTX_seal(&cipher.context, out.data(), &size, out.size(), nonce.data(), nonce.size(),
                        in.data(), in.size(), nullptr, 0) != 1) {
    ERR_clear_error();
    return {};
  }
  std::memcpy(out.data() + size, nonce.data(), nonce.size());
  std::memcpy(out.data() + size + nonce.size(), current_.name.data(), current_.name.size());
  return size + nonce.size() + current_.name.size();
}

std::optional<std::size_t> TicketKeys::open(std::span<const std::uint8_t> in,
                                            std::span<std::uint8_t> out) const {
  if (in.size() < kOverheadBytes) return {};
  const auto name = in.last(current_.name.size());
  const auto is_named = [&](const Key& key) { return std::ranges::equal(name, key.name); };
  if (!is_named(current_) && !is_named(previous_)) return {};
  const Cipher cipher((is_named(current_) ? current_ : previous_).secret);
  const auto sealed = in.first(in.size() - kNonceBytes - name.size());
  std::array<std::uint8_t, kNonceBytes> nonce;
  std::ranges::copy(in.subspan(sealed.size(), kNonceBytes), nonce.begin());
  std::size_t size = 0;
  if (EVP_AEAD_CTX_open(&cipher.context, out.data(), &size, out.size(), nonce.data(), nonce.size(),
                        sealed.data(), sealed.size(), nullptr, 0) != 1) {
    ERR_clear_error();
    return {};
  }
  return size;
}

}  // namespace leat::tls
