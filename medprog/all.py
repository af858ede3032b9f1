"Everything public, to be imported beside `fastai.vision.all`"
from medprog.schedule import *
from medprog.recipe import *
from medprog.attention import *
from medprog.stages import *
from medprog.unfreeze import *
from medprog.rates import *
from medprog.losses import *
from medprog.mixup import *
from medprog.resize import *
from medprog.phantom import *
from medprog.data import *
from medprog.metrics import *
from medprog.evaluation import *
from medprog.monitor import *
from medprog.train import *
