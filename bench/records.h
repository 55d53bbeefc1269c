/* records.h - the records of a TLS 1.3 connection whose keys are known, opened for counting.
 *
 * AES-GCM is opened as the counter mode that it is, without a look at the tags: the generator counts what
 * the server sent, and what its keeper heard is compared with what was written anyway. Needs libcrypto.
 */
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_HEAD = 5, RECORD_MAX = RECORD_HEAD + 16384 + 256, TAG = 16, APPLICATION_DATA = 23, RECORDS_READ = 262144 };

typedef struct {
    EVP_CIPHER_CTX *context;
    uint8_t iv[12];
    unsigned long long seq;
    uint8_t *partial;             /* of a record that has not wholly come */
    size_t have;
} Records;

static uint8_t records_buffer[RECORD_MAX + RECORDS_READ];

static int bytes_of(const char *hex, uint8_t *into, int most) {
    int size = 0;
    for (; size < most && hex[0] && hex[1]; hex += 2) if (sscanf(hex, "%2hhx", &into[size++]) != 1) return 0;
    return size;
}

static Records *records_from(const char *key_hex, const char *iv_hex, unsigned long long seq) {
    uint8_t key[32];
    Records *r = calloc(1, sizeof *r);
    int size = bytes_of(key_hex, key, sizeof key);
    r->seq = seq;
    r->context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = size == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr();
    bool is_sound = (size == 16 || size == 32) && bytes_of(iv_hex, r->iv, sizeof r->iv) == 12;
    return is_sound && EVP_EncryptInit_ex(r->context, cipher, NULL, key, NULL) ? r : NULL;
}

/* Where the next bytes of the connection are to be read to: behind the part of a record that is there. */
static uint8_t *records_room(Records *r) {
    memcpy(records_buffer, r->partial ? r->partial : (uint8_t *)"", r->have);
    return records_buffer + r->have;
}

static size_t records_space(const Records *r) { return sizeof records_buffer - r->have; }

static unsigned long long records_seen(const Records *r) { return r->seq; }

static void open_record(Records *r, uint8_t *data, int size) {
    uint8_t counter[16] = {0};
    memcpy(counter, r->iv, 12);
    for (int i = 0; i < 8; i++) counter[4 + i] ^= (uint8_t)(r->seq >> (56 - 8 * i));
    counter[15] = 2;              /* 1 encrypts the tag */
    int out = 0;
    EVP_EncryptInit_ex(r->context, NULL, NULL, NULL, counter);
    EVP_EncryptUpdate(r->context, data, &out, data, size);
    r->seq++;
}

/* Open the records that are whole after `size` more bytes; give what they hold to `heard`. */
static bool open_records(Records *r, size_t size, void (*heard)(void *, const char *, uint64_t), void *of) {
    size_t at = 0, end = r->have + size;
    while (end - at >= RECORD_HEAD) {
        uint8_t *record = records_buffer + at;
        size_t length = (size_t)record[3] << 8 | record[4];
        if (record[0] != APPLICATION_DATA || length <= TAG || length > RECORD_MAX - RECORD_HEAD) return false;
        if (end - at < RECORD_HEAD + length) break;
        size_t plain = length - TAG - 1;      /* the last byte says what kind of record it is */
        open_record(r, record + RECORD_HEAD, (int)(plain + 1));
        if (record[RECORD_HEAD + plain] == APPLICATION_DATA) heard(of, (char *)record + RECORD_HEAD, plain);
        at += RECORD_HEAD + length;
    }
    r->have = end - at;
    if (r->have && !r->partial) r->partial = malloc(RECORD_MAX);
    if (r->have) memcpy(r->partial, records_buffer + at, r->have);
    return true;
}
