// SPDX-License-Identifier: Apache-2.0
// How a session's bytes reach the library; between session.cc and the contexts only.
#pragma once

typedef struct bio_method_st BIO_METHOD;

namespace leat::tls {

// The caller frees it with BIO_meth_free() after the last session that uses it.
BIO_METHOD* new_session_bio_method();

}  // namespace leat::tls
