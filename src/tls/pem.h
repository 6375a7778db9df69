// SPDX-License-Identifier: Apache-2.0
// Reading PEM with the library; between the .cc files of this layer only.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace leat::tls {

template <class T, auto kFree>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO, BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509, X509_free>>;

inline Error refused(const char* what) {
  ERR_clear_error();
  return {Code::kInvalid, Source::kInternal, Retry::kNever, 0, what};
}

inline BioPtr text_bio(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// What is read here is not encrypted: asking for a pass phrase would hang the start.
inline int no_pass_phrase(char*, int, int, void*) {
  return 0;
}

inline X509Ptr read_certificate(BIO* text) {
  return X509Ptr(PEM_read_bio_X509(text, nullptr, no_pass_phrase, nullptr));
}

// Whether reading PEM stopped since the text has no further block; clears the library's queue.
inline bool is_end_of_pem() {
  const std::uint32_t reason = ERR_peek_last_error();
  ERR_clear_error();
  return ERR_GET_LIB(reason) == ERR_LIB_PEM && ERR_GET_REASON(reason) == PEM_R_NO_START_LINE;
}

}  // namespace leat::tls
