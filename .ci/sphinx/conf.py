"How Sphinx makes the site, of what `.ci/site` writes"
import importlib
from pathlib import Path
from medprog import __version__

project,release,html_title = 'medprog',__version__,'medprog'
extensions = ['myst_nb', 'sphinx_design', 'sphinx.ext.mathjax']
nb_execution_mode,nb_execution_cache_path = 'off','.cache'
nb_render_markdown_format,nb_merge_streams = 'myst',True
myst_enable_extensions,myst_heading_anchors = ['colon_fence', 'dollarmath'],4
myst_heading_slug_func = 'nbconvert.filters.strings._convert_header_id'         # Jupyter's address of a heading
html_theme,templates_path,html_sidebars = 'pydata_sphinx_theme',['templates'],{'**': ['layers.html']}
html_theme_options = dict(
    github_url='https://github.com/medprog/medprog', navbar_center=[], secondary_sidebar_items=['page-toc'],
    footer_start=[], footer_end=[], pygments_light_style='tango', pygments_dark_style='github-dark')
html_copy_source,html_use_index = False,False
mathjax = Path(importlib.import_module('sphinx-mathjax-offline').__file__).parent
html_static_path,html_css_files = ['static', str(mathjax/'static')],['site.css']
mathjax_path = 'mathjax/tex-chtml.js'                                           # a reader fetches nothing else
