/* expat with handlers for elements and text, and no tree.
 *
 *   expat parse HEADER CORPUS CHUNK WARM MEASURED     files, bytes, then stanzas
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static long depth, stanzas, characters;

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes) {
    (void)data, (void)name, (void)attributes;
    depth++;
}

static void on_end(void *data, const XML_Char *name) {
    (void)data, (void)name;
    if (--depth == 1) stanzas++;
}

static void on_text(void *data, const XML_Char *text, int length) {
    (void)data, (void)text;
    characters += length;
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static char *slurp(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length);
    if (bytes == NULL || fread(bytes, 1, *length, file) != *length) { perror(path); exit(1); }
    fclose(file);
    return bytes;
}

static void feed(XML_Parser parser, const char *bytes, size_t length) {
    if (XML_Parse(parser, bytes, (int)length, 0) == XML_STATUS_OK) return;
    fprintf(stderr, "expat: %s\n", XML_ErrorString(XML_GetErrorCode(parser)));
    exit(1);
}

static void feed_until(XML_Parser parser, const char *corpus, size_t length, size_t chunk, long wanted) {
    while (stanzas < wanted)
        for (size_t at = 0; at < length; at += chunk) feed(parser, corpus + at, length - at < chunk ? length - at : chunk);
}

int main(int count, char **arguments) {
    if (count < 7) return 2;
    size_t header_length, corpus_length, chunk = (size_t)atol(arguments[4]);
    char *header = slurp(arguments[2], &header_length), *corpus = slurp(arguments[3], &corpus_length);
    long warm = atol(arguments[5]), measured = atol(arguments[6]);
    XML_Parser parser = XML_ParserCreate("UTF-8");
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    feed(parser, header, header_length);
    feed_until(parser, corpus, corpus_length, chunk, warm);
    double before = cpu();
    long from = stanzas;
    feed_until(parser, corpus, corpus_length, chunk, from + measured);
    printf("{\"cpu\":%.0f,\"stanzas\":%ld,\"version\":\"%s\"}\n", cpu() - before, stanzas - from, XML_ExpatVersion());
    return 0;
}
