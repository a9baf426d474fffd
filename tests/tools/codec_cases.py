"""Writes src/text/codec/cases.txt: what CPython 3.13 encodes and decodes, with every error handler."""

def hexs(s): return ','.join('%x'%ord(c) for c in s)
out=[]
def run(kind, data, enc, err):
    try:
        if kind=='D': r='ok '+hexs(data.decode(enc,err))
        else: r='ok '+data.encode(enc,err).hex()
    except UnicodeError as e: r='bad %s %d %d %s'%(e.encoding,e.start,e.end,e.reason)
    except TypeError: r='handler'
    out.append('%s %s %s %s -> %s'%(kind,enc,err,data.hex() or '-' if kind=='D' else hexs(data) or '-',r.strip()))
ENC=['utf-8','utf-8-sig','utf-16','utf-16-le','utf-16-be','utf-32','utf-32-be','ascii','latin-1','cp1252','iso8859-15','unicode_escape','raw_unicode_escape']
ERR=['strict','ignore','replace','backslashreplace','surrogateescape','surrogatepass','xmlcharrefreplace','namereplace']
S=['aé€😀','\ud800','a\ud800\udc80b','\x81\u0100\u0101z','\udc80\udcff','\\\n\x00\x7f\xa0\t','\ufeffx']
B=[b'a\x81\xe9',b'\xed\xa0\x80x',b'\xe2\x82',b'\xe2\x82(',b'\xf0\x9f\x98',b'\xc0\x80\xf5',b'\xf4\x90\x80',b'\\',b'\\x4',b'\\xzz',b'\\u12',b'\\U00110000a',b'\\N{DIGIT ONE}\\N{x}',b'\\N',b'\\N{}',b'\\N{a',b'\\d\\101\\777\\8',b'\\n\\t\\a\\b\\f\\v\\r\\\\\\\'\\"\\\nx',b'\xef\xbb\xbfa',b'\\\\u0041\\u0041',
 b'a\0b', b'\0\xd8', b'\0\xdc', b'\0\xd8a\0', b'\xd8\0', b'\xd8\0\0a', b'\0\xd8\0\0',b'\0\0\x11\0',b'\xff\xfea\0',b'\xfe\xff\0a\xd8\0',b'\xff\xfe\0\0a\0\0\0',b'=\xd8\0\xde\0\xd8=\xd8\0\xde']
for e in ENC:
    for er in ERR:
        for s in S: run('E',s,e,er)
        if er=='namereplace': continue
        for b in B: run('D',b,e,er)
# A line is kept once for all handlers that answer the same.
kept = {}
for line in out:
    question, answer = line.split(' -> ', 1)
    kind, encoding, handler, data = question.split(' ')
    kept.setdefault((kind, encoding, data, answer), line)
print('\n'.join(kept.values()))
