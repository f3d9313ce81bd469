/* The C peer of `make bench`: mbed_verify VECTORS N
 *
 * Verifies the signatures of a vector file (64 bytes key, 32 digest, 64 signature; one key) N times in turn with
 * mbedTLS and prints microseconds for one. Ends with a status other than 0 if one is refused. */
#include <mbedtls/ecdsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VECTOR 160
#define MOST 64

int main(int argc, char **argv)
{
    unsigned char data[MOST * VECTOR], point[65] = {4};
    mbedtls_mpi r[MOST], s[MOST];
    mbedtls_ecp_group group;
    mbedtls_ecp_point key;
    struct timespec start, end;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;

    if (!file)
        return 2;
    int count = (int)(fread(data, 1, sizeof data, file) / VECTOR), turns = atoi(argv[2]);
    if (count < 1 || turns < 1)
        return 2;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&key);
    memcpy(point + 1, data, 64);
    if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) ||
        mbedtls_ecp_point_read_binary(&group, &key, point, sizeof point))
        return 3;
    for (int i = 0; i < count; i++) {
        mbedtls_mpi_init(&r[i]);
        mbedtls_mpi_init(&s[i]);
        if (mbedtls_mpi_read_binary(&r[i], data + i * VECTOR + 96, 32) ||
            mbedtls_mpi_read_binary(&s[i], data + i * VECTOR + 128, 32))
            return 3;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < turns; i++) {
        int k = i % count;
        if (mbedtls_ecdsa_verify(&group, data + k * VECTOR + 64, 32, &key, &r[k], &s[k]))
            return 4;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.2f\n", ((double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3) / turns);
    return 0;
}
