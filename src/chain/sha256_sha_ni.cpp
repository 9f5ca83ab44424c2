#include "chain/sha256_kernels.h"

namespace adit::chain {

const Sha256Kernel* sha256_sha_ni() {
    return nullptr;
}

}  // namespace adit::chain
