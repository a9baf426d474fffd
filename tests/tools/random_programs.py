"""Runs random programs (nested try, with, loops, match, generators, coroutines) here and under CPython 3.13 and shows where they differ.

    SCRIP_REFERENCE=python3.13 python3 tests/tools/random_programs.py PROGRAM [--first SEED] [--count N] [--keep FOLDER]

A program that CPython does not compile is passed over. With --keep, those that differ stay in the folder, with both outputs.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings


def gen(seed):
    R=random.Random(seed); out=[]
    out.append('''
import sys
class E1(Exception): pass
class E2(Exception): pass
class D:
    def __init__(s,n): s.n=n
    def __repr__(s): return 'D'
class CM:
    def __init__(s,n,sup=False,bad=False): s.n=n; s.sup=sup; s.bad=bad
    def __enter__(s): print('enter',s.n); return s.n
    def __exit__(s,t,v,tb):
        print('exit',s.n,t and t.__name__)
        if s.bad: raise E2('exit')
        return s.sup
class ACM(CM):
    async def __aenter__(s): return s.__enter__()
    async def __aexit__(s,*a): return s.__exit__(*a)
class AIt:
    def __init__(s,n): s.n=n
    def __aiter__(s): return s
    async def __anext__(s):
        if s.n==0: raise StopAsyncIteration
        s.n-=1; return s.n
n=[0]
LIM=60
def ev(x,*a):
    n[0]+=1
    if n[0]>LIM: raise KeyboardInterrupt('lim')
    print('ev',x,*a)
    return x
def rs(e,x):
    ev(x); raise e(x)
''')
    cnt=[0]
    def c(): cnt[0]+=1; return cnt[0]
    def expr(d,k):
        r=R.random()
        if d<=0 or r<.3: return R.choice(['a','b','x','ev(%d)'%c(),str(R.randint(-3,9)),'a','x'])
        if r<.4: return '(%s %s %s)'%(expr(d-1,k),R.choice(['+','*','-','+','&','|']),expr(d-1,k))
        if r<.5: return '(%s %s %s)'%(expr(d-1,k),R.choice(['and','or']),expr(d-1,k))
        if r<.58: return '(%s if %s else %s)'%(expr(d-1,k),cond(d-1,k),expr(d-1,k))
        if r<.66: return '(%s := %s)'%(R.choice('abx'),expr(d-1,k))
        if r<.74: return 'ev(%d, %s, *[%s], k=1)'.replace(', k=1','')%(c(),expr(d-1,k),expr(d-1,k))
        if r<.8: return 'sum([q + %s for q in range(%s & 3) if %s])'%(expr(d-1,'l'),expr(0,k),R.choice(['q','q != 1','1']))
        if r<.84: return '(lambda p, q=%s: p + q)(%s)'%(expr(d-1,k),expr(d-1,k))
        if r<.88: return '[%s, %s][%s & 1]'%(expr(d-1,k),expr(d-1,k),expr(0,k))
        if r<.92: return '{1: %s, **{2: %s}}[%d]'%(expr(d-1,k),expr(d-1,k),R.randint(1,2))
        if r<.95: return 'len(f"{%s!r:>{%s & 7}}")'%(expr(0,k),expr(0,k))
        if r<.97 and k in('g','a'): return '(yield %s or 0)'%expr(0,k) if k=='g' else '(await aw(%s))'%expr(d-1,k)
        return '(1 if %s else 2)'%cond(d-1,k)
    def cond(d,k):
        r=R.random()
        if d<=0 or r<.2: return expr(0,k)
        if r<.5: return '%s %s %s'%(expr(d-1,k),R.choice(['<','<=','==','!=','>','is','is not','>=']),expr(d-1,k))
        if r<.65: return '%s < %s <= %s'%(expr(d-1,k),expr(d-1,k),expr(d-1,k))
        if r<.75: return 'not (%s)'%cond(d-1,k)
        if r<.85: return '(%s %s %s)'%(cond(d-1,k),R.choice(['and','or']),cond(d-1,k))
        if r<.92: return '%s %s (%s, %s)'%(expr(d-1,k),R.choice(['in','not in']),expr(d-1,k),expr(d-1,k))
        return expr(d-1,k)
    def body(ind,d,loop,k,nst=None,star=False):
        L=[]
        for _ in range(nst or R.randint(1,3)): L+=stmt(ind,d,loop,k,star)
        return L
    def stmt(ind,d,loop,k,star=False):
        s=' '*ind; r=R.random()
        if d<=0 or r<.22:
            r=R.random()
            if r<.3: return [s+'%s = %s'%(R.choice('abx'),expr(2,k))]
            if r<.38: return [s+'%s %s= %s'%(R.choice('abx'),R.choice(['+','-','|']),expr(1,k))]
            if r<.46: return [s+'a, b = %s, %s'%(expr(1,k),expr(1,k))]
            if r<.5: return [s+'y = D(%d)'%c()]
            if r<.54: return [s+'del %s'%R.choice('xy'),]
            if r<.64: return [s+'rs(%s, %d)'%(R.choice(['E1','E2','KeyError']),c())]
            if r<.68: return [s+'raise']
            if r<.72: return [s+'assert %s, "m"'%cond(1,k)]
            if loop and not star and r<.8: return [s+R.choice(['break','continue'])]
            if not star and r<.88: return [s+('return %s'%expr(1,k) if k!='ag' else 'return')]
            if k in('g','ag') and r<.95: return [s+'b = yield %s'%expr(1,k if k=='g' else 'l')]
            return [s+'ev(%d, %s)'%(c(),expr(1,k))]
        if r<.36:
            L=[s+'if %s:'%cond(2,k)]+body(ind+1,d-1,loop,k,star=star)
            if R.random()<.5: L+=[s+'else:']+body(ind+1,d-1,loop,k,star=star)
            return L
        if r<.5:
            it=R.choice(['range(%d)'%R.randint(0,3),'[1, %s]'%expr(1,k),'(D(i) for i in range(2))','range(%s & 3)'%expr(0,k)])
            tgt=R.choice(['x','a','(i)'.strip('()')])
            if k in('a','ag') and R.random()<.4: L=[s+'async for x in AIt(%d):'%R.randint(0,3)]
            else: L=[s+'for %s in %s:'%(tgt,it)]
            L+=body(ind+1,d-1,True,k)
            if R.random()<.3: L+=[s+'else:']+body(ind+1,d-1,loop,k,star=star)
            return L
        if r<.58:
            L=[s+'while ev(%d) and %s:'%(c(),cond(1,k))]+body(ind+1,d-1,True,k)
            if R.random()<.3: L+=[s+'else:']+body(ind+1,d-1,loop,k,star=star)
            return L
        if r<.82:
            L=[s+'try:']+body(ind+1,d-1,loop,k,star=star)
            isstar=R.random()<.15
            nh=R.randint(0,2)
            for i in range(nh):
                ty=R.choice(['E1','E2','(E1, KeyError)','Exception'])
                if isstar: L+=[s+'except* %s%s:'%(ty,R.choice([' as x',' as e','']))]+body(ind+1,d-1,False,k,star=True)
                else:
                    if i==nh-1 and R.random()<.2: L+=[s+'except:']
                    else: L+=[s+'except %s%s:'%(ty,R.choice([' as x',' as e','']))]
                    L+=body(ind+1,d-1,loop,k,star=star)
            if nh and R.random()<.3: L+=[s+'else:']+body(ind+1,d-1,loop,k,star=star)
            if not nh or R.random()<.4: L+=[s+'finally:']+body(ind+1,d-1,loop,k,star=star)
            return L
        if r<.92:
            a=R.choice(['','async ']) if k in('a','ag') else ''
            items=[]
            for _ in range(R.randint(1,2)):
                items.append('%s(%d%s%s)%s'%('ACM' if a else 'CM',c(),R.choice(['',', True']),R.choice(['','',', bad=True']),R.choice(['',' as x',' as a'])))
            return [s+a+'with '+', '.join(items)+':']+body(ind+1,d-1,loop,k,star=star)
        pats=['[1, x, *b]','{"k": x, **b}','int(real=x)','0 | 1 | 2','[x, 1] | [2, x]','(a, b) as x','str() | float()','[_, *_, x]','None']
        L=[s+'match %s:'%R.choice(['[%s, %s]'%(expr(1,k),expr(1,k)),'{"k": %s, "j": 2}'%expr(1,k),expr(1,k)])]
        for _ in range(R.randint(1,3)): L+=[s+' case %s%s:'%(R.choice(pats),R.choice(['',' if %s'%cond(1,k)]))]+body(ind+2,d-1,loop,k,star=star)
        if R.random()<.4: L+=[s+' case _:']+body(ind+2,d-1,loop,k,star=star)
        return L
    out.append('class aw:\n    def __init__(s,v): s.v=v\n    def __await__(s):\n        ev("aw"); yield; return s.v\n')
    for i in range(12):
        k=R.choice(['l','l','l','g','a','ag'])
        pre={'l':'','g':'','a':'async ','ag':'async '}[k]
        L=[pre+'def f%d(a, b, x=3):'%i]
        if k=='g': L.append(' yield 0')
        if k=='ag': L.append(' yield 0')
        if R.random()<.3: L.append(' (lambda: (a, x))')
        L+=body(1,4,False,k,R.randint(2,4))
        L.append(' return x' if k!='ag' else ' return')
        out+=L
        out.append('n[0]=0')
        for args in ((1,2),(0,5)):
            out.append('print("== f%d",%r)'%(i,args))
            out.append('try:')
            if k=='l': out.append(' print(f%d(*%r))'%(i,args))
            elif k=='g': out.append(' g=f%d(*%r)\n for v in range(6):\n  try: print("item",g.send(None if v==0 else v))\n  except StopIteration as s: print("stop",s.value); break\n else: print("close", g.close() and 0)'%(i,args))
            elif k=='a': out.append(' g=f%d(*%r)\n for v in range(40):\n  try: g.send(None)\n  except StopIteration as s: print("stop",s.value); break'%(i,args))
            else: out.append(' async def go():\n  async for v in f%d(*%r): print("item",v)\n g=go()\n for v in range(40):\n  try: g.send(None)\n  except StopIteration as s: print("stop",s.value); break'%(i,args))
            out.append('except BaseException as e: print(type(e).__name__, e if not isinstance(e,(SyntaxError)) else "")')
            out.append('g=e=None')
    return '\n'.join(out)+'\n'

def outputs(programs, path):
    """What each interpreter prints, and how it ends; `None` for one that does not end."""
    found = []
    for program in programs:
        try:
            run = subprocess.run([program, path.name], cwd=path.parent, capture_output=True, timeout=20)
            found.append((run.returncode, run.stdout))
        except subprocess.TimeoutExpired:
            found.append(None)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    programs = [os.environ.get("SCRIP_REFERENCE", "python3.13"), options.program.resolve()]
    warnings.simplefilter("ignore")
    folder = pathlib.Path(tempfile.mkdtemp())
    compiled = differ = 0

    def one(seed):
        source = gen(seed)
        try:
            compile(source, "x", "exec")
        except SyntaxError:
            return seed, None
        path = folder / f"{seed}.py"
        path.write_text(source)
        return seed, outputs(programs, path)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for seed, found in pool.map(one, range(options.first, options.first + options.count)):
            if found is None:
                continue
            compiled += 1
            theirs, ours = found
            if theirs == ours or theirs is None:
                continue
            differ += 1
            print(f"seed {seed} differs")
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{seed}.py").write_text(gen(seed))
                for name, result in (("theirs", theirs), ("ours", ours)):
                    (options.keep / f"{seed}.{name}").write_bytes(b"did not end" if result is None else result[1])
    print(f"{compiled} programs, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
