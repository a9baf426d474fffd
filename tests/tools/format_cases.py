"""Writes src/text/format_spec/cases.txt: what CPython 3.13 makes of format specifications of str and int."""

import random

random.seed(5)
out=[]
def esc(s): return ','.join('%x'%ord(c) for c in s)
def t(tag,v,s):
    try: r='ok '+esc(format(v,s))
    except (ValueError,OverflowError) as e: r='%s %s'%('bad' if isinstance(e,ValueError) else 'overflow',esc(str(e)))
    out.append(f"{tag} {v if tag=='i' else esc(v)} {esc(s) or '-'} -> {r}")
base=['d','s','q','x>','>>10','é^7','=5','05','+','-',' ','z','z.2f',',','_',',d','_x',',s','_s',',_','_,',',,','__',',x','#','#x','#010x','#_x','c','+c','#c',',c','n',',n','_n','.','.3','.3s','.3d','5.','.99999999999999999999','99999999999999999999','é','10é','%','b','o','X','1 ','{}','<5','^5','^6','>5','=+5','+05d','z5d','0<5','<05','^05','0,','010,','010_x','-08_b','08,d','zs','+s','#s','=5s',' s','05s','\x00','d5','+5c','=5c','05c','z+5','.0','.5,','020,','020_x','+20,','=20,','*=+20,','#X','#020_X','021,','022,','012,','013,','09,','08,','07,','٣d','\U0001f600>7']
for v in ['abc','','é€']:
    for s in base: t('s',v,s)
for v in [65,-1,0,1234567,-1234567,10**20,0x110000]:
    for s in base:
        if s[-1] in 'efgEFG%' or v == 10**20 and s[-1] == 'c': continue
        t('i',v,s)
for _ in range(400):
    s=random.choice(['','<','>','^','=','*<','0=','é>','_^'])+random.choice(['','+','-',' '])+random.choice(['','#'])+random.choice(['','0'])+random.choice(['','5','12','13','14','15','16','17','18','19','20'])+random.choice(['',',','_'])+random.choice(['','d','x','X','b','o','n'])
    t('i',random.choice([0,7,-7,123456,-123456,2**40,-2**64]),s)
print('\n'.join(dict.fromkeys(out)))
