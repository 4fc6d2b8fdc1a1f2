{# The grain that a model's or seed's YAML states under `config.meta.grain`. Known only when models run. #}
{% macro grain_of(relation) %}
    {%- set grain = node_of(relation).config.meta.grain -%}
    {%- if not grain -%}
        {%- do exceptions.raise_compiler_error(relation ~ ' states no config.meta.grain') -%}
    {%- endif -%}
    {%- do return(grain) -%}
{% endmacro %}
