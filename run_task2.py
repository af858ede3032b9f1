"The documented command: `python run_task2.py --progressive-strategy balanced`."
from medprog.cli import main
raise SystemExit(main())
