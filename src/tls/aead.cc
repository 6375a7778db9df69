// SPDX-License-Identifier: Apache-2.0
#include "tls/aead.h"

#include <openssl/aead.h>
#include <openssl/mem.h>

#include "base/check.h"

namespace leat::tls {

namespace {

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// The library's context, wiped when it goes.
class Context {
 public:
  explicit Context(AeadKey key) {
    LEAT_CHECK(EVP_AEAD_CTX_init(&context_, EVP_aead_aes_256_gcm(), key.data(), key.size(),
                                 EVP_AEAD_DEFAULT_TAG_LENGTH, nullptr) == 1);
  }
  ~Context() { EVP_AEAD_CTX_cleanup(&context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  const EVP_AEAD_CTX* get() const { return &context_; }

 private:
  EVP_AEAD_CTX context_;
};

}  // namespace

std::string seal(AeadKey key, const std::array<std::uint8_t, kAeadNonceBytes>& nonce,
                 std::string_view text, std::string_view context) {
  std::string sealed(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  sealed.resize(text.size() + kAeadExtraBytes);
  std::size_t size = 0;
  LEAT_CHECK(EVP_AEAD_CTX_seal(
                 Context(key).get(), reinterpret_cast<std::uint8_t*>(sealed.data()) + nonce.size(),
                 &size, sealed.size() - nonce.size(), nonce.data(), nonce.size(), bytes_of(text),
                 text.size(), bytes_of(context), context.size()) == 1);
  LEAT_CHECK(size + nonce.size() == sealed.size());
  return sealed;
}

std::optional<std::size_t> unseal(AeadKey key, std::string_view sealed, std::string_view context,
                                  std::span<char> out) {
  if (sealed.size() >= kAeadExtraBytes) {
    const std::string_view nonce = sealed.substr(0, kAeadNonceBytes);
    const std::string_view rest = sealed.substr(kAeadNonceBytes);
    std::size_t size = 0;
    if (EVP_AEAD_CTX_open(Context(key).get(), reinterpret_cast<std::uint8_t*>(out.data()), &size,
                          out.size(), bytes_of(nonce), nonce.size(), bytes_of(rest), rest.size(),
                          bytes_of(context), context.size()) == 1) {
      return size;
    }
  }
  OPENSSL_cleanse(out.data(), out.size());
  return std::nullopt;
}

}  // namespace leat::tls
