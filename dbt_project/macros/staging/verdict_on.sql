{#
  SQL for the first rule that one column breaks, as `column: rule`, else NULL;
  nothing where the contract asks nothing of the column. `alone` leaves out the
  rules of the table: of a deletion only the key and the load time are judged,
  each by itself.
#}
{% macro verdict_on(column, rules, alone=false) -%}
    {%- set name = column.name -%}
    {%- set branches = [] -%}
    {%- if column.is_required -%}
        {%- do branches.append([name ~ '__given is null', 'required']) -%}
        {%- do branches.append([name ~ '__read is null', 'type']) -%}
    {%- endif -%}
    {%- if column.quarantines_unknown_code -%}
        {%- do branches.append([name ~ '__read is not null and ' ~ name ~ ' is null', 'enum']) -%}
    {%- endif -%}
    {%- if column.is_required and column.data_type in ('timestamp', 'date') -%}
        {%- do branches.append([name ~ ' is null', 'range']) -%}
    {%- endif -%}
    {%- if not alone -%}
        {%- for kind in ['range', 'order', 'period'] -%}
            {%- for rule in rules if rule.column == name and rule.rule == kind -%}
                {%- do branches.append(['not (' ~ rule.holds ~ ')', kind]) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if branches -%}
        case
        {%- for condition, rule in branches %} when {{ condition }} then '{{ name }}: {{ rule }}'
        {%- endfor %} end
    {%- endif -%}
{%- endmacro %}
