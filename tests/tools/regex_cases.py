"""Writes what CPython's `re` answers, as src/text/regex/cases.txt keeps it (its reader is in regex/tests.rs).

Usage: python3.13 tests/tools/regex_cases.py FILE [SEED COUNT]
With a seed, COUNT random patterns and COUNT damaged ones are added: for comparisons that are not kept. Known
differences there are CPython's own: groups in possessive repetitions, and conditions on a group that is still open.
"""

import random
import re
import sys
import warnings

warnings.simplefilter('ignore')
def esc(s): return ','.join('%x'%(ord(c) if isinstance(c,str) else c) for c in s) or '-'
out=[]
def spans(m):
    return '/'.join('%d.%d'%m.span(g) if m.span(g)!=(-1,-1) else 'n' for g in range(m.re.groups+1))+'@%s'%(m.lastindex or 0)
def case(p,flags,subjects):
    b=isinstance(p,bytes)
    head=f"{'b' if b else 't'} {flags} {esc(p)}"
    try: r=re.compile(p,flags)
    except re.PatternError as e:
        out.append(f"{head} ! {e.pos if e.pos is not None else 'n'} {esc(e.msg)}"); return
    except (ValueError,OverflowError) as e:
        out.append(f"{head} ! {type(e).__name__} {esc(str(e))}"); return
    except (RecursionError,RuntimeError,KeyError,AssertionError,TypeError): return
    names=';'.join(f'{esc(k)}={v}' for k,v in r.groupindex.items()) or '-'
    out.append(f"{head} : {r.flags} {r.groups} {names}")
    for s in subjects:
      try:
        res=[]
        for f in (r.search,r.match,r.fullmatch):
            m=f(s); res.append(spans(m) if m else 'n')
        res.append('+'.join(spans(m) for m in r.finditer(s)) or 'n')
        m=r.search(s,1,max(1,len(s)-1)) ; res.append(spans(m) if m else 'n')
        out.append(f"  {esc(s)} {' '.join(res)}")
      except SystemError: pass
SUBJ=['','a','ab','aab','abab','aaab\n','abc abd\nabx','xAyBz','foo.bar@baz.org','éÉß ſsS K\u212a','12 34\n56','a😀b😀','((a))','aXbXXc','_w1 ٣ ²','İi\u0131I','\n','ab\n']
E='''
* a** a*+* a{2}{3} a{3,2} a{,} a{ a{1 a{1,2 a{,2} {} {1} a{} (* ^* $* \\b* (?:)* ()* (|a)* ( ) (a a) ((a) [ [a [] []a [^ [^] [^]a] [a- [a-] [a-\\d] [\\d-a] [z-a] [\\x-a] [a-\\q] [\\q] [\\xz] [\\u12] [\\U0011000] [\\U00110000] [\\777] [\\8] [\\08] [\\N{x}] [\\N] [\\b] \\ a\\ (\\ \\q \\x \\x1 \\xg \\u \\u123 \\U \\U00110000 \\N \\N{ \\N{} \\N{foo} \\N{DIGIT~ONE} \\1 (a)\\2 (a\\1) \\8 \\18 \\377 \\400 \\777 \\0 \\08 \\012 (?P<a>x)(?P<a>y) (?P<1>x) (?P<>x) (?P<a (?P< (?P (?P> (?Px) (?P=a) (?P<a>(?P=a)) (?P= (?P=) (?P=a (?P=1) (?P<é>x) (?P<a-b>x) (? (?) (?< (?<a (?<a> (?x (?z) (?: (?:a (?# (?#a (?#a) (?= (?=a) (?! (?!) (?!a) (?<=a*) (?<=a|bc) (?<!a+) (?<=a{2}) (?<=(a)\\1) (?<=(?P<q>a)(?P=q)) (a)(?<=\\1) (a)(?<=(?(1)a|b)) (?<=(a)(?(1)b|c)) (?(1)a|b) (?(0)a) (?(a)b) (?(1)a|b|c)(x) (x)(?(1)a|b|c) (?(99999999999)a) (?(1 (?(1) (x)(?(1)a (?() (?(1a)b) (x)(?(1)) (x)?(?(1)a|b) (?P<n>x)?(?(n)a|b) a(?i) (?i)a (?i)(?s)a (?ia)B (?iu)b (?au) (?L) (?i (?i- (?i-) (?i-i:a) (?-i:a) (?-a:a) (?-z:a) (?i-1:a) (?-:a) (?i:A) (?a:\\w) (?u:\\w) (?aL:a) (?^:a) (?>a*)a (?>a a*+a a?+a a{1,2}+b (?:ab)*+a a*?b a+?? a{2}? a{2}?+ (?x)a~#b\n~c (?x:a~b)~c (?s:.)b (?m:^a) ((?i)a) (?P<x>a)|(?P<y>b) |a a| a|| (|) \\A\\Z [[:alpha:]] [a||b] [a--b] [a&&b] a{0} a{0,0}b (a)* (a)|b ((a)|b)* (?:(a)|b)* (a*)* (a*)+ (a*)*? (?:a?)*?b (?:a?){3} (?:a|ab)(?:c|bcd)(?:d*) (a+|b)* (\\w+)\\s\\1 (.)\\1 (?i)(a)\\1 [\\s\\S]+ [^\\s\\S] [^a] (?i)[^a] (?i)[a-c] (?i)k (?i)[k-l] (?i)s+ (?i)ß (?i)ſ (?ia)s (?i)İ (?i)[İ] (?i)i \\bab\\b \\B \\Ba \\b ^ $ (?m)^ (?m)$ \\Z \\A ^a|b$ \\d+ \\D+ \\s \\S \\w+ \\W (?a)\\w+ (?a)\\d (?a)\\s+ (?a)\\b . .* (?s).* (?s).+b [ab]+ [^ab]+ [é-ü] [😀] 😀+ (?<=a)b (?<!a)b (?<=😀)b (?=(a))a(?!b) (?:(?=(a))a)+ (?!(a)b) (a(?!b)|ab) ((?:a|b)*?)b (?P<first>\\w)(?P<second>\\w)? (a)(b)?(c)? (?:(a)|(b))+ (?>(a+))b (?:(?>a|ab)c?)+ a.*b.*c x*y* (x*)(y*)z? (?:)? () (?:a{2,3}){2} (?:ab?){1,2}? [a-zA-Z_]\\w* (?:[^X]*X)+ \\. [.] [*] [\\]] [\\^a] [a\\-z] [-a] [a^] \\-\\/\\! \\é \\~ (?P<a>.)(?P<b>.)(?P=a)? (?:a|b)+? (?:a|b|cd)+ ab|ac|ad (?:foo|bar|baz)\\b (?i)FOO (?i:f)OO \\w+@\\w+\\.\\w+ (\\w+)@(\\w+)
'''.split()
E=[e.replace('~',' ') for e in E]
E+=['(?x) a b  # c','a\nb','(?x)[a b]','(?x)\\ a','(?x)a #','(?x)a{ 2}','(?x) (?# c ) a',' ','('*3+'a'+')'*3,'(?P<a\n>x)','(?P<a b>x)','[a\n-b]','(?-','(?-i','(?ix','(?\x00)','(?é)','(?i-é:)','(?1)','(?P=é)', '\\é','\\\n','a{4294967295}','a{4294967294}','a{99999999999}','(?(01)a)','(?(1)a|b)(x)','(?(2)a)(x)','x(?i)(?s)','(?i)(?-i:a)B','(?s)a(?-s:.)','(?m)(?-m:^)a$']
case_flags=[0]
for e in E:
    case(e,0,SUBJ)
for e in ['a','[a-z]+','ß','K','k','[^k]','ſt','.','^a','a$','(a)\\1','\u0131','[\u0130-\u0131]','[ſ]','\\w','À-Þ','[À-Þ]','é']:
    for f in (2,2|256,8,16,64,256): case(e,f,SUBJ)
case('a',4,[]);case('a',256|32,[]);case(b'a',32,[]);case(b'a',4|256,[])
BS=[b'',b'a',b'ab\xe9',b'\xff\n',b'AB ab_1',b'\xc3\xa9']
for e in [b'a',b'\\w+',b'(?i)A',b'[\\xe9-\\xff]',b'\\377',b'\\u0041',b'\\N{x}',b'(?P<\xe9>a)',b'(?u)',b'(?L)a',b'(?Li)A',b'.',b'[^a]',b'(?i)\xe9',b'\xe9',b'(?P=a)',b'\\b',b'(?a)',b'(?aL)']: case(e,0,BS)
case(b'\\w',4,BS)
kept=len(out)
if len(sys.argv)>2:
    random.seed(int(sys.argv[2])); N=int(sys.argv[3])
    atoms=['a','b','c','.','\\w','\\d','[ab]','[^a]','\\b','^','$','(?=a)','(?!b)','(?<=a)','(?<!b)','\\1','\\2','é','X','(?i:A)','\\s','(?=(a)b)','(?>a|ab)','(?(1)a|b)']
    def gen(d):
        k=random.random()
        if d<=0 or k<.35: return random.choice(atoms)
        if k<.5: return gen(d-1)+gen(d-1)
        if k<.6: return '('+gen(d-1)+')'
        if k<.68: return '(?:'+gen(d-1)+'|'+gen(d-1)+')'
        if k<.75: return '('+gen(d-1)+'|'+gen(d-1)+')'
        if k<.95: return '(?:'+gen(d-1)+')'+random.choice(['*','+','?','*?','+?','??','{1,2}','{2}','{0,2}?','*+','++','?+'])
        if k<.97: return '(?='+gen(d-1)+')'
        return '(?!'+gen(d-1)+')'
    for _ in range(N):
        p=gen(5)
        s=[''.join(random.choice('aabbcX é1\n') for _ in range(random.randint(0,9))) for _ in range(4)]
        case(p,random.choice([0,0,0,2,8,16]),s)
    # mutated sources for errors
    for _ in range(N):
        p=list(random.choice(E))
        for _ in range(random.randint(1,3)):
            i=random.randint(0,len(p)); 
            if random.random()<.5 and i<len(p): del p[i]
            else: p.insert(i,random.choice('()[]{}?*+|\\^$<>=!:-PLiuax1209#a ,é'))
        case(''.join(p),random.choice([0,0,64]),['ab','aab c'])
open(sys.argv[1],'w').write('\n'.join(out)+'\n')
print(len(out))
