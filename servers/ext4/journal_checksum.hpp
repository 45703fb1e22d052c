// The checksums inside the log: of whole blocks (versions 2 and 3) and of transactions (version 1).
#pragma once

#include "servers/ext4/journal.hpp"

namespace gemel::ext4 {

// CRC-32 (polynomial 0x04C11DB7), not reflected, not inverted: version 1.
u32 crc32_plain(u32 seed, Bytes bytes);

// Of a descriptor or revoke block, its last four bytes taken as zero.
u32 journal_tail_checksum(JournalSuper const& super, Bytes block);
// Of a commit block, its checksum field taken as zero.
u32 journal_commit_checksum(JournalSuper const& super, Bytes block);
// Of a copied block as it lies in the log; version 2 keeps only the lower half.
u32 journal_data_checksum(JournalSuper const& super, u32 sequence, Bytes block);

} // namespace gemel::ext4
