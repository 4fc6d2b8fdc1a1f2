create or replace temp table evaluations as
select
    call_id,
    later(ended_at, 60 + 1700 * draw(session, 'listens')) as evaluated_at,
    if(draw(session, 'ear') < 0.1, 'human', 'speech-2') as evaluator,
    cast(
        if(draw(session, 'scale') < 0.001, 120, 100 * sqrt(draw(session, 'score')))
        as decimal(9, 2)
    ) as score,
    draw(session, 'needs') < 0.6 as needs_found,
    draw(session, 'presentation') < 0.5 as presentation_made,
    case when draw(session, 'objections') < 0.8 then draw(session, 'objections') < 0.4 end
        as objections_handled,
    draw(session, 'next') < 0.55 as next_step_agreed,
    _loaded_at
from legs
where is_evaluated;
