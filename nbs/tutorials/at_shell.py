"`%%shell` of the tutorials: what is typed at a shell, carried out in this process, in a folder of its own."
import os,re,shlex,tempfile
from textwrap import fill
import torch
from IPython.utils.capture import capture_output
from medprog.cli import main

SMALL = dict(arch='resnet18', size=32, weights='none', epochs=5, schedule_fit='scale', precision='fp32', batch_size=8)

def begin():
    "Go to a new folder, which is returned, with `small.toml`; `cleanup` it in the end"
    tmp = tempfile.TemporaryDirectory()
    os.environ['MEDPROG_CACHE'] = os.path.join(tmp.name, 'cache')
    os.chdir(tmp.name)
    torch.set_num_threads(1)                           # more threads add in another order
    with open('small.toml', 'w') as f: f.writelines(f"{k} = {v!r}\n" for k,v in SMALL.items())
    return tmp

def _alike(text):
    "What was printed, without what is another each time: times, and the folder"
    here = os.getcwd()
    for o in (os.path.realpath(here), here): text = text.replace(o+os.sep, '')
    text = re.sub(r'(?m)^(about .* for \d+ epochs on \w+: .*|  cost .*)\n', '', text)
    text = re.sub(r' in \d+ (s|min)(?=,)|\d+ (s|min) (?=from weights)', '', text)
    head,begun,table = text.partition('epoch   phase')
    if not begun: return text
    table,gap,rest = (begun+table).partition('\n\n')
    return head+re.sub(r'(?m) +\S+$', '', table)+gap+rest                         # without the seconds

def shell(flags, lines):
    "Each line begins with a command of medprog, and may end with `| head -N` or `| grep WORD`"
    told = []
    for line in lines.strip().replace('\\\n', ' ').splitlines():
        line,_,pipe = line.partition(' | ')
        command,*flags = shlex.split(line)
        with capture_output() as said: main(flags, command.removeprefix('medprog_'))
        shown = _alike(said.stdout+said.stderr).strip().splitlines()
        tool,_,arg = pipe.partition(' ')
        if tool=='head': shown = shown[:int(arg[1:])]
        if tool=='grep': shown = [o for o in shown if arg in o]
        told += [*(o if len(o)<=120 else fill(o, 110, break_on_hyphens=False) for o in shown), '']
    print('\n'.join(told), end='')                     # in one piece

def load_ipython_extension(ipython): ipython.register_magic_function(shell, 'cell')
